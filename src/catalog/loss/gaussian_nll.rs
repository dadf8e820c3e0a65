//! Negative log-likelihood of a normal distribution: the first half of the outputs are means m,
//! the second half logarithms s of variances v = max(exp(s), 1e-6). Mean over the targets of
//! (log v + (m - y)^2 / v) / 2.
//!
//! Source: Nix and Weigend, "Estimating the mean and variance of the target probability
//! distribution", 1994; `torch.nn.GaussianNLLLoss`, of variances exp(s).

use super::RowWise;
use crate::kernels::Real;

/// The least variance.
pub(crate) const LEAST_VARIANCE: f64 = 1e-6;

pub(super) struct Variant;

impl RowWise for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R], _p: [R; 3]) -> R {
        let count = targets.len();
        let share = R::of(count as f64);
        let half = R::of(0.5);
        let least = R::of(LEAST_VARIANCE);
        if !gradient.is_empty() {
            for unit in 0..count {
                let e = logits[unit] - targets[unit];
                let free = logits[count + unit].exp();
                let variance = free.max(least);
                gradient[unit] = e / variance / share;
                // As in PyTorch, the gradient passes the floor of the variance.
                gradient[count + unit] =
                    half * (R::one() - e * e / variance) * (free / variance) / share;
            }
        }
        let term = |unit: usize| {
            let e = logits[unit] - targets[unit];
            let s = logits[count + unit];
            let floored = if s < least.ln() { least.ln() } else { s };
            half * (floored + e * e * (-floored).exp())
        };
        (0..count).map(term).sum::<R>() / share
    }
}
