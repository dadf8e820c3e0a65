//! sigmoid(x) = 1 / (1 + exp(-x)), the logistic function (`torch.nn.Sigmoid`,
//! `keras.activations.sigmoid`), without exp of a large positive number.
//!
//! The derivative is y (1 - y) of the output y, as in both libraries. 1 - y loses its digits where y
//! nears 1: the derivative, 1/4 at most, has an absolute error of 2e-7 there, which is what the
//! rounding of y itself leaves.

use super::Formula;
use super::special::not_below;
use crate::kernels::Real;

pub(super) struct Variant;

/// The logistic function, exact in both tails.
pub(crate) fn sigmoid<R: Real>(x: R) -> R {
    let e = not_below(-x.abs(), -110.0).exp();
    if x < R::zero() { e / (R::one() + e) } else { R::one() / (R::one() + e) }
}

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        sigmoid(x)
    }

    fn act_grad<R: Real>(_x: R, y: R, _p: [R; 2]) -> R {
        y * (R::one() - y)
    }
}
