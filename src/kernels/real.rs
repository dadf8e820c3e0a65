//! The number a twin computes in: f32 as on the device, f64 as the oracle.

use std::fmt::Debug;
use std::iter::Sum;

/// A float that the twins are generic over.
pub trait Real:
    num_traits::Float + num_traits::NumAssign + Sum + Debug + Send + Sync + 'static
{
    /// The nearest number to `x`.
    fn of(x: f64) -> Self;
    /// The number as f64, exactly.
    fn wide(self) -> f64;
    /// The complementary error function.
    fn erfc(self) -> Self;
    /// The hazard of the standard normal distribution, phi(a) / Phi(-a), for a in [0, 15]: in f32
    /// by the fit of `shaders/shared/normal.wgsl`.
    fn normal_hazard(self) -> Self;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as Self
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn erfc(self) -> Self {
        libm::erfcf(self)
    }
    #[allow(clippy::excessive_precision, reason = "the constants as fitted")]
    fn normal_hazard(self) -> Self {
        let a = self;
        let p = (((3.086_180_825_96e-3 * a + 3.452_957_658_21e-2) * a + 1.832_143_694_95e-1) * a
            + 5.338_781_651_60e-1)
            * a
            + 7.978_845_684_09e-1;
        let q = ((((3.086_080_886_51e-3 * a + 3.453_545_283_89e-2) * a + 1.892_367_511_51e-1) * a
            + 6.051_524_797_97e-1)
            * a
            + 1.124_547_173_18)
            * a
            + 1.0;
        a + p / q
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn wide(self) -> f64 {
        self
    }
    fn erfc(self) -> Self {
        libm::erfc(self)
    }
    fn normal_hazard(self) -> Self {
        let density = 0.398_942_280_401_432_7 * (-0.5 * self * self).exp();
        density / (0.5 * libm::erfc(self * std::f64::consts::FRAC_1_SQRT_2))
    }
}
