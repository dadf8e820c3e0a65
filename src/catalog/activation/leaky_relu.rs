//! leaky_relu(x) = x for x >= 0, slope x below. The derivative at 0 is the slope, as in PyTorch.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, [alpha, _]: [R; 2]) -> R {
        if x < R::zero() { alpha * x } else { x }
    }

    fn act_grad<R: Real>(_x: R, y: R, [alpha, _]: [R; 2]) -> R {
        if y > R::zero() { R::one() } else { alpha }
    }
}
