//! relu(x) = max(x, 0), written so that NaN stays NaN (Nair and Hinton, "Rectified Linear Units
//! Improve Restricted Boltzmann Machines", 2010; `torch.nn.ReLU`, `keras.activations.relu`).
//!
//! The derivative is 1 above 0, and 0 at 0 as in both libraries.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        if x < R::zero() { R::zero() } else { x }
    }

    fn act_grad<R: Real>(_x: R, y: R, _p: [R; 2]) -> R {
        if y > R::zero() { R::one() } else { R::zero() }
    }
}
