//! leaky_relu(x) = x for x >= 0, slope x below (Maas et al., "Rectifier Nonlinearities Improve Neural
//! Network Acoustic Models", 2013; `torch.nn.LeakyReLU`, slope 0.01; `keras.activations.leaky_relu`,
//! slope 0.2; `keras.layers.LeakyReLU`, slope 0.3).
//!
//! The derivative is 1 above 0 and the slope below; at 0 it is the slope, as in PyTorch, where JAX,
//! under Keras, gives 1.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, [alpha, _]: [R; 2]) -> R {
        if x < R::zero() { alpha * x } else { x }
    }

    fn act_grad<R: Real>(_x: R, y: R, [alpha, _]: [R; 2]) -> R {
        if y > R::zero() { R::one() } else { alpha }
    }
}
