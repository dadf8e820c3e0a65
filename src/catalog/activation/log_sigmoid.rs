//! log_sigmoid(x) = log(1 / (1 + e^-x)), as min(x, 0) - log1p(e^-|x|), which neither overflows nor
//! loses the upper tail (`torch.nn.LogSigmoid`, `keras.activations.log_sigmoid`).
//!
//! The derivative is sigmoid(-x), here of the output y: 1 - e^y, which keeps its digits in both
//! tails.

use super::Formula;
use super::special::{not_above, scaled_exp};
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let size = not_above(x.abs(), 110.0);
        let e = (-size).exp();
        let ratio = if e > R::zero() { e.ln_1p() / e } else { R::one() };
        let rest = scaled_exp(ratio, -size, R::zero());
        if x > R::zero() { -rest } else { x - rest }
    }

    fn act_grad<R: Real>(_x: R, y: R, _p: [R; 2]) -> R {
        -y.exp_m1()
    }
}
