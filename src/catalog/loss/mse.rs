//! Mean over the outputs of (z - y)^2. (scikit-learn trains on half of it.)
//!
//! Source: `torch.nn.MSELoss`; `keras.losses.MeanSquaredError`.

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        (z - y) * (z - y)
    }

    fn gradient<R: Real>(z: R, y: R, _p: [R; 3]) -> R {
        R::of(2.0) * (z - y)
    }
}
