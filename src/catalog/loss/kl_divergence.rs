//! From logits: sum over the classes of share (log share - log p), p the softmax of z.
//!
//! It is the cross-entropy less the entropy of the target. Keras first raises shares and
//! probabilities below `epsilon` to it; PyTorch does not.
//!
//! Source: Kullback and Leibler, "On information and sufficiency", 1951;
//! `torch.nn.KLDivLoss(reduction="batchmean")` of log-probabilities; `keras.losses.KLDivergence`
//! (epsilon 1e-7).

use super::RowWise;
use super::softmax::{log_sum_exp, shares};
use crate::kernels::Real;

pub(super) struct Variant;

impl RowWise for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R], p: [R; 3]) -> R {
        let epsilon = p[0];
        let (largest, log_sum) = log_sum_exp(logits);
        let given = shares(targets, logits.len(), R::zero());
        let share = |unit: usize| given(unit).max(epsilon).min(R::one());
        let log_p = |unit: usize| (logits[unit] - largest) - log_sum;
        let moves = |unit: usize| log_p(unit).exp() >= epsilon;
        let total = (0..logits.len()).filter(|unit| moves(*unit)).map(share).sum::<R>();
        for (unit, g) in gradient.iter_mut().enumerate() {
            let own = if moves(unit) { share(unit) } else { R::zero() };
            *g = log_p(unit).exp() * total - own;
        }
        let term = |unit: usize| {
            let share = share(unit);
            if share > R::zero() {
                let log_p = if moves(unit) { log_p(unit) } else { epsilon.ln() };
                share * (share.ln() - log_p)
            } else {
                R::zero()
            }
        };
        (0..logits.len()).map(term).sum()
    }
}
