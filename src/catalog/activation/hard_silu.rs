//! hard_silu(x) = x min(max(x + 3, 0), 6) / 6, also named hard swish, written so that NaN stays NaN
//! (Howard et al., "Searching for MobileNetV3", 2019; `torch.nn.Hardswish`,
//! `keras.activations.hard_silu`).
//!
//! The derivative is x / 3 + 1/2 between -3 and 3, 0 at -3 and 1 at 3, as in PyTorch; JAX, under
//! Keras, gives the mean of both sides there. At -infinity the value is the limit, 0, where both
//! libraries give NaN.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let three = R::of(3.0);
        if x <= -three {
            R::zero()
        } else if x >= three {
            x
        } else {
            x * ((x + three) / R::of(6.0))
        }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let three = R::of(3.0);
        if x <= -three {
            R::zero()
        } else if x >= three {
            R::one()
        } else {
            (R::of(2.0) * x + three) / R::of(6.0)
        }
    }
}
