//! prelu(x) = x for x >= 0, slope x below, with a slope that is learned (He et al., "Delving Deep
//! into Rectifiers", 2015; `torch.nn.PReLU`: one slope a layer, from 0.25; `keras.layers.PReLU`: one
//! a unit, from 0).
//!
//! The derivative is 1 above 0 and the slope below; at 0 it is the slope, as in PyTorch.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, [slope, _]: [R; 2]) -> R {
        if x < R::zero() { slope * x } else { x }
    }

    fn act_grad<R: Real>(x: R, _y: R, [slope, _]: [R; 2]) -> R {
        if x > R::zero() { R::one() } else { slope }
    }
}
