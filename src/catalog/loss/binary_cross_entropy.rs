//! From logits: mean over the outputs of (1 - y) z + (1 + (pos_weight - 1) y) log(1 + exp(-z)), with
//! label smoothing y (1 - s) + s / 2.
//!
//! Source: `torch.nn.BCEWithLogitsLoss`; `keras.losses.BinaryCrossentropy(from_logits=True)`.

use super::{Elementwise, smoothed};
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let t = smoothed(y, p[1]);
        let weight = R::one() + (p[0] - R::one()) * t;
        let below = if z < R::zero() { -z } else { R::zero() };
        (R::one() - t) * z + weight * (below + (-z.abs()).exp().ln_1p())
    }

    fn gradient<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let t = smoothed(y, p[1]);
        let weight = R::one() + (p[0] - R::one()) * t;
        let e = (-z.abs()).exp();
        let (large, small) = (R::one() / (R::one() + e), e / (R::one() + e));
        let (positive, negative) = if z >= R::zero() { (large, small) } else { (small, large) };
        (R::one() - t) * positive + (R::one() - t - weight) * negative
    }
}
