//! 100 times the mean over the outputs of |z - y| / max(|y|, 1e-7).
//!
//! Source: `keras.losses.MeanAbsolutePercentageError`.

use super::Elementwise;
use crate::kernels::Real;
use crate::kernels::gradient_statistics::sign;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        R::of(100.0) * (z - y).abs() / y.abs().max(R::of(1e-7))
    }

    fn gradient<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        R::of(100.0) * sign(z - y) / y.abs().max(R::of(1e-7))
    }
}
