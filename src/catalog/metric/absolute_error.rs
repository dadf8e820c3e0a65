//! |output - target| of one output, in the units of training.
//!
//! Its mean over the rows, in the target's own unit, is `mae`: the mean of |prediction - target|, of
//! several targets the mean over them.
//!
//! Source: `sklearn.metrics.mean_absolute_error`.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn term<R: Real>(logits: &[R], targets: &[R], unit: usize) -> R {
        (logits[unit] - targets[unit]).abs()
    }
}
