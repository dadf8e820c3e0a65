//! (output - target)^2 of one output, in the units of training.
//!
//! Of its mean over the rows, in the target's own unit, are made `mse`, the mean of
//! (prediction - target)^2; `rmse`, its square root; and `r2`, 1 - sum of squared errors / sum of
//! squares about the mean, of a constant target 1 for perfect predictions, else 0. Of several
//! targets each is the mean over them.
//!
//! Source: `sklearn.metrics.mean_squared_error`, `root_mean_squared_error` and `r2_score`.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn term<R: Real>(logits: &[R], targets: &[R], unit: usize) -> R {
        (logits[unit] - targets[unit]) * (logits[unit] - targets[unit])
    }
}
