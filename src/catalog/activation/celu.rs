//! celu(x) = x above 0, alpha (e^(x / alpha) - 1) below: elu with a derivative that is continuous
//! for any alpha (Barron, "Continuously Differentiable Exponential Linear Units", 2017;
//! `torch.nn.CELU`, `keras.activations.celu`).
//!
//! The derivative is 1 above 0, e^(x / alpha) below and at 0.

use super::Formula;
use super::special::scaled_exp;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, [alpha, _]: [R; 2]) -> R {
        if x > R::zero() { x } else { alpha * (x / alpha).exp_m1() }
    }

    fn act_grad<R: Real>(x: R, _y: R, [alpha, _]: [R; 2]) -> R {
        if x > R::zero() {
            return R::one();
        }
        let ratio = x / alpha;
        if ratio < R::of(-110.0) {
            return R::zero();
        }
        // What the division left: its error counts |ratio|-fold.
        let left = (-ratio).mul_add(alpha, x) / alpha;
        scaled_exp(R::one(), ratio, left)
    }
}
