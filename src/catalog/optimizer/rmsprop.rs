//! RMSprop. PyTorch: g / (sqrt(v) + eps), momentum without the rate.
//! Keras: g / sqrt(v + eps), the rate inside the momentum buffer.

use super::{Convention, Formula, Hyperparameters, OptimizerForm};
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) fn defaults(convention: Convention) -> Hyperparameters {
    let (learning_rate, rho, epsilon) = match convention {
        Convention::Torch => (1e-2, 0.99, 1e-8),
        Convention::Keras => (1e-3, 0.9, 1e-7),
    };
    Hyperparameters { learning_rate, rho, epsilon, ..Hyperparameters::default() }
}

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
