//! From the base rate to `minimum` along half a cosine: minimum + (base - minimum)
//! (1 + cos(pi s / T)) / 2 (Loshchilov and Hutter, 2017), as Keras' `CosineDecay`.

use std::f64::consts::PI;

use super::Point;

pub(super) fn rate(base: f64, at: Point, minimum: f64) -> f64 {
    minimum + (base - minimum) * (1.0 + libm::cos(PI * at.fraction())) / 2.0
}
