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
}
