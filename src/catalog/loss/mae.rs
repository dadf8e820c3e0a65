//! Mean over the outputs of |z - y|. The derivative at 0 is 0.
//!
//! Source: `torch.nn.L1Loss`; `keras.losses.MeanAbsoluteError`.

use super::Elementwise;
use crate::kernels::Real;
use crate::kernels::gradient_statistics::sign;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        (z - y).abs()
    }

    fn gradient<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        sign(z - y)
    }
}
