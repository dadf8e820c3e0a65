//! relu6(x) = min(max(x, 0), 6), written so that NaN stays NaN (Krizhevsky, "Convolutional Deep
//! Belief Networks on CIFAR-10", 2010; `torch.nn.ReLU6`, `keras.activations.relu6`).
//!
//! The derivative is 1 between 0 and 6, and 0 at both, as in PyTorch; JAX, under Keras, gives half
//! of 1 there. It is a function of the input: after dropout's scaling and back, an output of 6
//! need not be 6.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let six = R::of(6.0);
        if x < R::zero() {
            R::zero()
        } else if x > six {
            six
        } else {
            x
        }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        if x > R::zero() && x < R::of(6.0) { R::one() } else { R::zero() }
    }
}
