//! gelu_tanh(x) = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, an approximation of
//! [`super::gelu`] (Hendrycks and Gimpel, 2016; `torch.nn.GELU(approximate="tanh")`,
//! `keras.activations.gelu(approximate=True)`).
//!
//! (1 + tanh u) / 2 = 1 / (1 + e^-2u), which keeps the digits of the lower tail. An error of 2u
//! counts 90-fold there, so 2u is a sum of two numbers.

use super::Formula;
use super::special::{not_above, scaled_exp};
use crate::kernels::Real;

pub(super) struct Variant;

/// 2 sqrt(2 / pi).
const SLOPE: f64 = 1.595_769_121_605_730_8;
/// Times 0.044715.
const CUBIC: f64 = 0.071_354_816_272_600_25;

/// The value is 0 or x to f32 beyond this.
const FLAT: f64 = 11.0;

/// A number and what its rounding left.
fn constant<R: Real>(value: f64) -> (R, R) {
    let high = R::of(value);
    (high, R::of(value - high.wide()))
}

/// -2u for 0 <= a <= FLAT, as a sum of two numbers.
fn exponent<R: Real>(a: R) -> (R, R) {
    let (slope, slope_left) = constant::<R>(SLOPE);
    let (cubic, cubic_left) = constant::<R>(CUBIC);
    let square = a * a;
    let square_left = a.mul_add(a, -square);
    let product = cubic * square;
    let product_left = cubic.mul_add(square, -product) + cubic * square_left + cubic_left * square;
    // The error of a sum (Knuth's TwoSum).
    let sum = slope + product;
    let took = sum - slope;
    let sum_left = (slope - (sum - took)) + (product - took);
    let left = sum_left + (slope_left + product_left);
    let value = a * sum;
    (-value, -(a.mul_add(sum, -value) + a * left))
}

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let a = not_above(x.abs(), FLAT);
        let (value, left) = exponent(a);
        let below = R::one() + scaled_exp(R::one(), value, left);
        if x < R::zero() { scaled_exp(-a / below, value, left) } else { x / below }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let a = not_above(x.abs(), FLAT);
        let (value, left) = exponent(a);
        let e = scaled_exp(R::one(), value, left);
        let below = R::one() + e;
        let slope = a * (R::of(SLOPE) + R::of(3.0 * CUBIC) * a * a);
        if x < R::zero() {
            scaled_exp((R::one() - slope + slope * (e / below)) / below, value, left)
        } else {
            let s = below.recip();
            s * (R::one() + slope * e * s)
        }
    }
}
