//! gelu(x) = x Phi(x), Phi the distribution function of the standard normal (the exact form).

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

/// Phi(x), without cancellation in the lower tail.
fn normal_cdf<R: Real>(x: R) -> R {
    R::of(0.5) * (-x * R::of(std::f64::consts::FRAC_1_SQRT_2)).erfc()
}

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        x * normal_cdf(x)
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let bounded = x.max(R::of(-40.0)).min(R::of(40.0));
        let density = (R::of(-0.5) * bounded * bounded).exp() * R::of(0.398_942_280_401_432_7);
        normal_cdf(bounded) + bounded * density
    }
}
