//! Adam (Kingma and Ba, 2015); AdamW is Adam with decoupled decay, which `optimizer_step` takes off.
//!
//! PyTorch: lr mhat / (sqrt(vhat) + eps).
//! Keras: lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps).

use super::{Convention, Formula, Hyperparameters, OptimizerForm};
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) fn defaults(convention: Convention) -> Hyperparameters {
    let epsilon = match convention {
        Convention::Torch => 1e-8,
        Convention::Keras => 1e-7,
    };
    Hyperparameters {
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon,
        ..Hyperparameters::default()
    }
}

/// AdamW's: PyTorch decays by 0.01, Keras by 0.004.
pub(super) fn defaults_decayed(convention: Convention) -> Hyperparameters {
    let weight_decay = match convention {
        Convention::Torch => 0.01,
        Convention::Keras => 0.004,
    };
    Hyperparameters { weight_decay, ..defaults(convention) }
}

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [mean, square, _]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        form: OptimizerForm,
    ) -> R {
        let m = *mean + (R::one() - settings.beta1) * (g - *mean);
        let v = *square + (R::one() - settings.beta2) * (g * g - *square);
        *mean = m;
        *square = v;
        let rate = learning_rate / settings.correction1;
        if form.keras {
            w - rate * settings.correction2.sqrt() * m / (v.sqrt() + settings.epsilon)
        } else {
            w - rate * m / ((v / settings.correction2).sqrt() + settings.epsilon)
        }
    }
}
