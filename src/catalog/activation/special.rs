//! What several formulas share: sums under exp, and tails that are smaller than exp alone can say.
//! Twins of `shaders/shared/exp.wgsl` and `shaders/shared/normal.wgsl`, with the platform's exp.

use crate::kernels::Real;

/// The smaller of `x` and `high`; NaN stays NaN.
pub(super) fn not_above<R: Real>(x: R, high: f64) -> R {
    if x > R::of(high) { R::of(high) } else { x }
}

/// The larger of `x` and `low`; NaN stays NaN.
pub(super) fn not_below<R: Real>(x: R, low: f64) -> R {
    if x < R::of(low) { R::of(low) } else { x }
}

/// factor e^(x + tail) for a tail below 1e-4, where e^x alone may be too small for a normal
/// number.
pub(super) fn scaled_exp<R: Real>(factor: R, x: R, tail: R) -> R {
    let (e, again) = if x < R::of(-60.0) {
        let half = (x * R::of(0.5)).exp();
        (half, half)
    } else {
        (x.exp(), R::one())
    };
    factor * (e + e * tail) * again
}

/// factor phi(a), phi the density of the standard normal distribution.
pub(super) fn normal_density<R: Real>(factor: R, a: R) -> R {
    let square = a * a;
    // Its error counts a^2 / 2 times.
    let left = a.mul_add(a, -square);
    let half = R::of(-0.5);
    scaled_exp(factor * R::of(0.398_942_280_401_432_7), half * square, half * left)
}
