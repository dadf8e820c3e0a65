//! What the losses of a softmax share: probabilities from logits, and targets as shares.

use crate::kernels::Real;

/// The largest logit, and the logarithm of the sum of all exponentials about it.
pub(super) fn log_sum_exp<R: Real>(logits: &[R]) -> (R, R) {
    let largest = logits.iter().copied().fold(R::neg_infinity(), R::max);
    let sum = logits.iter().map(|z| (*z - largest).exp()).sum::<R>();
    (largest, sum.ln())
}

/// The class index held in a target; 0 when it is none, which no reader lets through.
pub(crate) fn class_of<R: Real>(target: R) -> usize {
    target.to_usize().unwrap_or(0)
}

/// The share of each class, after label smoothing: of a class index, or of a distribution.
pub(super) fn shares<R: Real>(
    targets: &[R],
    classes: usize,
    smoothing: R,
) -> impl Fn(usize) -> R + '_ {
    let even = smoothing / R::of(classes as f64);
    move |unit| {
        let share = if targets.len() == classes {
            targets[unit]
        } else if class_of(targets[0]) == unit {
            R::one()
        } else {
            R::zero()
        };
        share * (R::one() - smoothing) + even
    }
}

/// One row's cross-entropy from its logits.
pub(crate) fn from_logits<R: Real>(logits: &[R], targets: &[R]) -> R {
    let (largest, log_sum) = log_sum_exp(logits);
    let share = shares(targets, logits.len(), R::zero());
    let term = |(unit, z): (usize, &R)| {
        let share = share(unit);
        if share == R::zero() { share } else { share * ((largest - *z) + log_sum) }
    };
    logits.iter().enumerate().map(term).sum()
}
