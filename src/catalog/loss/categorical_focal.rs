//! From logits: sum over the classes of alpha share (1 - p)^gamma (-log p), p the softmax of z;
//! with label smoothing share (1 - s) + s / K.
//!
//! Source: Lin et al., "Focal loss for dense object detection", 2017;
//! `keras.losses.CategoricalFocalCrossentropy(from_logits=True)`.

use super::RowWise;
use super::softmax::{log_sum_exp, shares};
use crate::kernels::Real;

pub(super) struct Variant;

impl RowWise for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R], p: [R; 3]) -> R {
        let [gamma, alpha, smoothing] = p;
        let (largest, log_sum) = log_sum_exp(logits);
        let share = shares(targets, logits.len(), smoothing);
        let log_p = |unit: usize| (logits[unit] - largest) - log_sum;
        // 1 - p, kept above 0: its powers below 1 have no derivative there.
        let miss = |log_p: R| (R::one() - log_p.exp()).max(R::of(1e-7));
        // p times the derivative of a class's term by p.
        let pull = |unit: usize| {
            let log_p = log_p(unit);
            let q = miss(log_p);
            let slope = gamma * q.powf(gamma - R::one()) * log_p.exp() * log_p - q.powf(gamma);
            alpha * share(unit) * slope
        };
        if !gradient.is_empty() {
            let all = (0..logits.len()).map(pull).sum::<R>();
            for (unit, g) in gradient.iter_mut().enumerate() {
                *g = pull(unit) - log_p(unit).exp() * all;
            }
        }
        let term = |unit: usize| {
            let share = share(unit);
            if share == R::zero() {
                return share;
            }
            let log_p = log_p(unit);
            -alpha * share * miss(log_p).powf(gamma) * log_p
        };
        (0..logits.len()).map(term).sum()
    }
}
