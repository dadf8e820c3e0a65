//! Mean over the outputs of e^2 / (2 beta) where |e| < beta, else |e| - beta / 2: huber(beta) / beta.
//!
//! Source: Girshick, "Fast R-CNN", 2015; `torch.nn.SmoothL1Loss`.

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let (size, beta) = ((z - y).abs(), p[0]);
        let half = R::of(0.5);
        if size < beta { half * size * size / beta } else { size - half * beta }
    }

    fn gradient<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let e = (z - y) / p[0];
        if e.is_nan() { e } else { e.max(-R::one()).min(R::one()) }
    }
}
