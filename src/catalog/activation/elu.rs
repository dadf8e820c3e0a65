//! elu(x) = x above 0, alpha (e^x - 1) below (Clevert et al., "Fast and Accurate Deep Network
//! Learning by Exponential Linear Units", 2015; `torch.nn.ELU`, `keras.activations.elu`).
//!
//! The derivative is 1 above 0, alpha e^x below and at 0.

use super::Formula;
use super::special::{not_below, scaled_exp};
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, [alpha, _]: [R; 2]) -> R {
        if x > R::zero() { x } else { alpha * x.exp_m1() }
    }

    fn act_grad<R: Real>(x: R, _y: R, [alpha, _]: [R; 2]) -> R {
        if x > R::zero() { R::one() } else { scaled_exp(alpha, not_below(x, -110.0), R::zero()) }
    }
}
