//! Stochastic gradient descent, with momentum and Nesterov's form of it.
//!
//! PyTorch: v = mu v + (1 - dampening) g, at first v = g; w -= lr v, or lr (g + mu v).
//! Keras: the rate is inside the buffer, v = mu v - lr g; w += v, or mu v - lr g. They part as
//! soon as the rate is scheduled.
//!
//! Source: Sutskever et al., "On the importance of initialization and momentum in deep learning",
//! 2013; `torch.optim.SGD`; `keras.optimizers.SGD`.

use super::{Formula, OptimizerForm};
use crate::catalog::parameter::{Parameter, Range};
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1e-3, 1e-2),
    super::weight_decay(0.0, 0.0),
    super::momentum(0.0),
    Parameter::new(
        "dampening",
        0.0,
        Range::Share,
        "share of the gradient left out of the momentum",
    ),
];

pub(super) const FLAGS: &[super::Flag] = &["nesterov"];

pub(super) use super::zeros as initial;

pub(super) use super::ones as coefficients;

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [velocity, _, _]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        form: OptimizerForm,
    ) -> R {
        if !form.with_momentum {
            return w - learning_rate * g;
        }
        let mu = settings.momentum;
        if form.keras {
            let v = mu * *velocity - learning_rate * g;
            *velocity = v;
            return w + if form.nesterov { mu * v - learning_rate * g } else { v };
        }
        let v = if settings.step > 1 {
            mu * *velocity + (R::one() - settings.dampening) * g
        } else {
            g
        };
        *velocity = v;
        w - learning_rate * if form.nesterov { g + mu * v } else { v }
    }
}
