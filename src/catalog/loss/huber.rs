//! Mean over the outputs of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2, e = z - y.
//!
//! Source: Huber, "Robust estimation of a location parameter", 1964; `torch.nn.HuberLoss`; `keras.losses.Huber`.

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let (size, delta) = ((z - y).abs(), p[0]);
        let half = R::of(0.5);
        if size <= delta { half * size * size } else { delta * size - half * delta * delta }
    }

    fn gradient<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let e = z - y;
        if e.is_nan() { e } else { e.max(-p[0]).min(p[0]) }
    }
}
