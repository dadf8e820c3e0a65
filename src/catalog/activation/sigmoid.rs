//! sigmoid(x) = 1 / (1 + exp(-x)), without exp of a large positive number.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

/// The logistic function, exact in both tails.
pub(crate) fn sigmoid<R: Real>(x: R) -> R {
    let e = (-x.abs()).exp();
    if x >= R::zero() { R::one() / (R::one() + e) } else { e / (R::one() + e) }
}

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        sigmoid(x)
    }

    fn act_grad<R: Real>(_x: R, y: R, _p: [R; 2]) -> R {
        y * (R::one() - y)
    }
}
