//! mish(x) = x tanh(log(1 + e^x)) (Misra, "Mish: A Self Regularized Non-Monotonic Activation
//! Function", 2019; `torch.nn.Mish`, `keras.activations.mish`).
//!
//! With e = e^x and n = e (e + 2), tanh(log(1 + e)) = n / (n + 2), whose terms are all positive.
//! The derivative is n / (n + 2) + 4 x e (1 + e) / (n + 2)^2. Above 0 both are taken over e^2, in
//! e^-x.

use super::Formula;
use super::special::{not_above, scaled_exp};
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let (one, two) = (R::one(), R::of(2.0));
        let a = not_above(x.abs(), 110.0);
        let e = (-a).exp();
        if x < R::zero() {
            let n = e * (e + two);
            scaled_exp(-a * ((e + two) / (n + two)), -a, R::zero())
        } else {
            x * ((one + two * e) / (one + two * e * (one + e)))
        }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let (one, two, four) = (R::one(), R::of(2.0), R::of(4.0));
        let a = not_above(x.abs(), 110.0);
        let e = (-a).exp();
        if x < R::zero() {
            let below = e * (e + two) + two;
            // 4 a (1 + e) / (n + 2) = 2 a - 2 a e^2 / (n + 2)
            let factor = ((two - two * a) + (e + two * a * e * e / below)) / below;
            scaled_exp(factor, -a, R::zero())
        } else {
            let below = one + two * e * (one + e);
            (one + two * e + four * a * e * e * (one + e) / below) / below
        }
    }
}
