//! hard_sigmoid(x) = min(max(x + 3, 0), 6) / 6, written so that NaN stays NaN
//! (`torch.nn.Hardsigmoid`, `keras.activations.hard_sigmoid` from Keras 3 on; the form of Courbariaux
//! et al., 2015, with the slope of Howard et al., "Searching for MobileNetV3", 2019). Keras 2 had
//! 0.2 x + 0.5.
//!
//! The derivative is 1/6 between -3 and 3, and 0 at both, as in PyTorch; JAX, under Keras, gives half
//! of it there. It is a function of the input: see [`super::relu6`].

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let three = R::of(3.0);
        if x < -three {
            R::zero()
        } else if x > three {
            R::one()
        } else {
            (x + three) / R::of(6.0)
        }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        if x > R::of(-3.0) && x < R::of(3.0) { R::of(1.0 / 6.0) } else { R::zero() }
    }
}
