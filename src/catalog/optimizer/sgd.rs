//! Stochastic gradient descent, with momentum and Nesterov's form of it.
//!
//! PyTorch: v = mu v + (1 - dampening) g, at first v = g; w -= lr v.
//! Keras: the rate is inside the buffer, v = mu v - lr g; w += v.

use super::{Convention, Formula, Hyperparameters, OptimizerForm};
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

/// PyTorch 1e-3 (since 2.0 no longer required), Keras 1e-2.
pub(super) fn defaults(convention: Convention) -> Hyperparameters {
    let learning_rate = match convention {
        Convention::Torch => 1e-3,
        Convention::Keras => 1e-2,
    };
    Hyperparameters { learning_rate, ..Hyperparameters::default() }
}

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
