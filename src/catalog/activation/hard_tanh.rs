//! hard_tanh(x) = x within [minimum, maximum], and the nearer end outside, written so that NaN stays
//! NaN (Collobert, 2004; `torch.nn.Hardtanh`; `keras.activations.hard_tanh`, whose ends are -1 and
//! 1).
//!
//! The derivative is 1 between the ends, and 0 at both, as in PyTorch; JAX, under Keras, gives 1
//! there. It is a function of the input: after dropout's scaling and back, an output at an end need
//! not be at it.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, [minimum, maximum]: [R; 2]) -> R {
        if x < minimum {
            minimum
        } else if x > maximum {
            maximum
        } else {
            x
        }
    }

    fn act_grad<R: Real>(x: R, _y: R, [minimum, maximum]: [R; 2]) -> R {
        if x > minimum && x < maximum { R::one() } else { R::zero() }
    }
}
