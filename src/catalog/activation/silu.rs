//! silu(x) = x / (1 + exp(-x)), also named swish (Elfwing et al., 2017; Ramachandran et al., 2017;
//! `torch.nn.SiLU`, `keras.activations.silu`).
//!
//! The derivative is s (1 + x (1 - s)) with s = 1 / (1 + exp(-x)).

use super::Formula;
use super::special::{not_above, scaled_exp};
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let a = not_above(x.abs(), 110.0);
        let below = R::one() + (-a).exp();
        if x < R::zero() { scaled_exp(-a / below, -a, R::zero()) } else { x / below }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let a = not_above(x.abs(), 110.0);
        let e = (-a).exp();
        let below = R::one() + e;
        if x < R::zero() {
            scaled_exp((R::one() - a / below) / below, -a, R::zero())
        } else {
            let s = below.recip();
            s * (R::one() + a * e * s)
        }
    }
}
