//! Mean over the outputs of log(cosh(z - y)) = |e| + log(1 + exp(-2 |e|)) - log 2.
//!
//! Source: `keras.losses.LogCosh`.

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        let size = (z - y).abs();
        size + ((R::of(-2.0) * size).exp().ln_1p() - R::of(std::f64::consts::LN_2))
    }

    fn gradient<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        (z - y).tanh()
    }
}
