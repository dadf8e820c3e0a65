//! Mean over the outputs of (output - target)^2.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R]) -> R {
        let outputs = R::of(logits.len() as f64);
        for ((g, z), y) in gradient.iter_mut().zip(logits).zip(targets) {
            *g = R::of(2.0) * (*z - *y) / outputs;
        }
        logits.iter().zip(targets).map(|(z, y)| (*z - *y) * (*z - *y)).sum::<R>() / outputs
    }
}
