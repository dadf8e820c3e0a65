//! |output - target| of one output, in the units of training.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn term<R: Real>(logits: &[R], targets: &[R], unit: usize) -> R {
        (logits[unit] - targets[unit]).abs()
    }
}
