//! RMSprop: the gradient over the root of the mean of its square.
//!
//! PyTorch: g / (sqrt(v) + eps), momentum without the rate. Keras: g / sqrt(v + eps), the rate
//! inside the momentum buffer. Centered: v less the squared mean of g.
//!
//! Source: Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012;
//! `torch.optim.RMSprop`; `keras.optimizers.RMSprop`.

use super::{Formula, OptimizerForm};
use crate::catalog::parameter::Parameter;
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1e-2, 1e-3),
    super::weight_decay(0.0, 0.0),
    super::rho(0.99, 0.9),
    super::epsilon(1e-8, 1e-7),
    super::momentum(0.0),
];

pub(super) const FLAGS: &[super::Flag] = &["centered"];

pub(super) use super::zeros as initial;

pub(super) use super::ones as coefficients;

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [square, momentum, mean]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        form: OptimizerForm,
    ) -> R {
        let rho = settings.rho;
        let mut v = rho * *square + (R::one() - rho) * g * g;
        *square = v;
        if form.centered {
            let average = rho * *mean + (R::one() - rho) * g;
            *mean = average;
            v = (v - average * average).max(R::zero());
        }
        let mut increment = if form.keras {
            learning_rate * g / (v + settings.epsilon).sqrt()
        } else {
            g / (v.sqrt() + settings.epsilon)
        };
        if form.with_momentum {
            increment += settings.momentum * *momentum;
            *momentum = increment;
        }
        if form.keras { w - increment } else { w - learning_rate * increment }
    }
}
