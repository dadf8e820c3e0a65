//! Mean over the outputs of max(1 - s z, 0)^2, with s = -1 or 1 for the classes 0 and 1.
//!
//! Source: `keras.losses.SquaredHinge`.

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        let s = R::of(2.0) * y - R::one();
        let short = if s * z > R::one() { R::zero() } else { R::one() - s * z };
        short * short
    }

    fn gradient<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        let s = R::of(2.0) * y - R::one();
        if s * z > R::one() { R::zero() } else { R::of(-2.0) * s * (R::one() - s * z) }
    }
}
