//! Mean over the outputs of (log(1 + z) - log(1 + y))^2, where both are at least 1e-7.
//!
//! Source: `keras.losses.MeanSquaredLogarithmicError`.

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        let floor = R::of(1e-7);
        let apart = z.max(floor).ln_1p() - y.max(floor).ln_1p();
        if z.is_nan() { z } else { apart * apart }
    }

    fn gradient<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        let floor = R::of(1e-7);
        let apart = z.max(floor).ln_1p() - y.max(floor).ln_1p();
        if z > floor { R::of(2.0) * apart / (R::one() + z) } else { R::zero() }
    }
}
