//! softsign(x) = x / (1 + |x|) (Turian et al., 2009; `torch.nn.Softsign`,
//! `keras.activations.softsign`).
//!
//! The derivative is 1 / (1 + |x|)^2.

use super::Formula;
use super::special::not_above;
use crate::kernels::Real;

pub(super) struct Variant;

/// 1 / (1 + |x|) is 1 / |x| to f64 long before this, and its square 0 to f32.
const FLAT: f64 = 1e20;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let a = not_above(x.abs(), FLAT);
        (a / (R::one() + a)).copysign(x)
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let r = (R::one() + not_above(x.abs(), FLAT)).recip();
        r * r
    }
}
