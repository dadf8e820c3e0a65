//! Mean over the outputs of the pinball loss: tau e where e = y - z is positive, else (tau - 1) e.
//!
//! Source: Koenker and Bassett, "Regression quantiles", 1978; `sklearn.metrics.mean_pinball_loss`.

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        let e = y - z;
        if e > R::zero() { p[0] * e } else { (p[0] - R::one()) * e }
    }

    fn gradient<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        if y == z {
            R::zero()
        } else if y > z {
            -p[0]
        } else {
            R::one() - p[0]
        }
    }
}
