//! -log of the probability given to the row's class, from logits.
//!
//! The metric is the mean over the rows; of labels, the mean over them of the log loss of each.
//!
//! Source: `sklearn.metrics.log_loss`.

use super::Formula;
use crate::catalog::loss::from_logits;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn term<R: Real>(logits: &[R], targets: &[R], _unit: usize) -> R {
        match logits {
            [z] => {
                let positive = if *z < R::zero() { R::zero() } else { *z };
                positive - *z * targets[0] + (-z.abs()).exp().ln_1p()
            }
            _ => from_logits(logits, targets),
        }
    }
}
