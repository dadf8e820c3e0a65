//! -log of the probability given to the row's class, from logits.

use super::Formula;
use crate::catalog::loss::{from_logit, from_logits};
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn term<R: Real>(logits: &[R], targets: &[R], _unit: usize) -> R {
        match logits {
            [logit] => from_logit(*logit, targets[0]),
            _ => from_logits(logits, targets[0]),
        }
    }
}
