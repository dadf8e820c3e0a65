//! From logits: mean over the outputs of w (1 - q)^gamma times the cross-entropy, q = y p + (1 - y)(1 - p)
//! and w = alpha y + (1 - alpha)(1 - y), or 1 where alpha is 0; label smoothing y (1 - s) + s / 2.
//!
//! Source: Lin et al., "Focal loss for dense object detection", 2017; `keras.losses.BinaryFocalCrossentropy(from_logits=True)`, balanced where alpha is given.

use super::{Elementwise, smoothed};
use crate::kernels::Real;

pub(super) struct Variant;

/// The probability, 1 - q (kept above 0: its powers below 1 have no derivative there), the
/// cross-entropy and the weight.
fn parts<R: Real>(z: R, t: R, alpha: R) -> [R; 4] {
    let one = R::one();
    let e = (-z.abs()).exp();
    let (large, small) = (one / (one + e), e / (one + e));
    let (positive, negative) = if z >= R::zero() { (large, small) } else { (small, large) };
    let miss = (t * negative + (one - t) * positive).max(R::of(1e-30));
    let below = if z < R::zero() { -z } else { R::zero() };
    let entropy = (one - t) * z + below + e.ln_1p();
    let weight = if alpha > R::zero() { alpha * t + (one - alpha) * (one - t) } else { one };
    [positive, miss, entropy, weight]
}

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let t = smoothed(y, p[2]);
        let [_, miss, entropy, weight] = parts(z, t, p[1]);
        weight * miss.powf(p[0]) * entropy
    }

    fn gradient<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let t = smoothed(y, p[2]);
        let [probability, miss, entropy, weight] = parts(z, t, p[1]);
        let mut slope = miss.powf(p[0]) * (probability - t);
        if p[0] > R::zero() {
            let along = (R::of(2.0) * t - R::one()) * probability * (R::one() - probability);
            slope -= p[0] * miss.powf(p[0] - R::one()) * along * entropy;
        }
        weight * slope
    }
}
