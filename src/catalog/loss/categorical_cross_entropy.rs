//! From logits, with a class index as target: log sum_k exp(z_k) - z_class, about the largest z.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

/// The largest logit, and the logarithm of the sum of all exponentials about it.
fn log_sum_exp<R: Real>(logits: &[R]) -> (R, R) {
    let largest = logits.iter().copied().fold(R::neg_infinity(), R::max);
    let sum = logits.iter().map(|z| (*z - largest).exp()).sum::<R>();
    (largest, sum.ln())
}

/// The class index held in a target; 0 when it is none, which no reader lets through.
pub(crate) fn class_of<R: Real>(target: R) -> usize {
    target.to_usize().unwrap_or(0)
}

/// One row's cross-entropy from its logits.
pub(crate) fn from_logits<R: Real>(logits: &[R], target: R) -> R {
    let (largest, log_sum) = log_sum_exp(logits);
    (largest - logits[class_of(target)]) + log_sum
}

impl Formula for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R]) -> R {
        let class = class_of(targets[0]);
        let (largest, log_sum) = log_sum_exp(logits);
        for (unit, (g, z)) in gradient.iter_mut().zip(logits).enumerate() {
            let probability = ((*z - largest) - log_sum).exp();
            *g = if unit == class { probability - R::one() } else { probability };
        }
        (largest - logits[class]) + log_sum
    }
}
