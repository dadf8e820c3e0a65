//! silu(x) = x sigmoid(x)

use super::Formula;
use super::sigmoid::sigmoid;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        x * sigmoid(x)
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let s = sigmoid(x);
        s * (R::one() + x * (R::one() - s))
    }
}
