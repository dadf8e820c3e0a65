//! From logits: sum over the classes of share (log sum_k exp(z_k) - z), about the largest z; with
//! label smoothing share (1 - s) + s / K.
//!
//! The target is a class index, or a distribution over the classes.
//!
//! Source: `torch.nn.CrossEntropyLoss`; `keras.losses.CategoricalCrossentropy(from_logits=True)`;
//! smoothing: Szegedy et al., "Rethinking the Inception architecture", 2016.

use super::RowWise;
use super::softmax::{log_sum_exp, shares};
use crate::kernels::Real;

pub(super) struct Variant;

impl RowWise for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R], p: [R; 3]) -> R {
        let (largest, log_sum) = log_sum_exp(logits);
        let share = shares(targets, logits.len(), p[0]);
        let total = (0..logits.len()).map(&share).sum::<R>();
        for (unit, (g, z)) in gradient.iter_mut().zip(logits).enumerate() {
            *g = ((*z - largest) - log_sum).exp() * total - share(unit);
        }
        let term = |(unit, z): (usize, &R)| {
            let share = share(unit);
            if share == R::zero() { share } else { share * ((largest - *z) + log_sum) }
        };
        logits.iter().enumerate().map(term).sum()
    }
}
