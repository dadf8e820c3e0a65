//! From logits: mean over the outputs of max(z, 0) - z y + log(1 + exp(-|z|)).

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

/// One output's cross-entropy from its logit.
pub(crate) fn from_logit<R: Real>(z: R, y: R) -> R {
    let positive = if z < R::zero() { R::zero() } else { z };
    positive - z * y + (-z.abs()).exp().ln_1p()
}

impl Formula for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R]) -> R {
        let outputs = R::of(logits.len() as f64);
        for ((g, z), y) in gradient.iter_mut().zip(logits).zip(targets) {
            let e = (-z.abs()).exp();
            let probability =
                if *z >= R::zero() { R::one() / (R::one() + e) } else { e / (R::one() + e) };
            *g = (probability - *y) / outputs;
        }
        logits.iter().zip(targets).map(|(z, y)| from_logit(*z, *y)).sum::<R>() / outputs
    }
}
