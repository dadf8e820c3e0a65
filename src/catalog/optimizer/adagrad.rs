//! Adagrad: the gradient over the root of the sum of all its squares.
//!
//! PyTorch: s += g^2; w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps). Keras: g / sqrt(s + eps).
//!
//! Source: Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011; `torch.optim.Adagrad`;
//! `keras.optimizers.Adagrad`.

use super::{Formula, Hyperparameters, OptimizerForm};
use crate::catalog::parameter::{Parameter, Range};
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1e-2, 1e-3),
    super::weight_decay(0.0, 0.0),
    super::epsilon(1e-10, 1e-7),
    Parameter::new(
        "initial_accumulator",
        0.0,
        Range::NotNegative,
        "what the sum of squares starts from",
    )
    .keras(0.1),
    Parameter::new(
        "lr_decay",
        0.0,
        Range::NotNegative,
        "how fast the learning rate falls (torch alone)",
    ),
];

pub(super) const FLAGS: &[super::Flag] = &[];

/// The sum of squares starts from the initial accumulator.
pub(super) fn initial(numbers: &Hyperparameters) -> [f64; 3] {
    [numbers.initial_accumulator, 0.0, 0.0]
}

/// The factor of the falling learning rate.
pub(super) fn coefficients(numbers: &Hyperparameters, step: u64, _: [f64; 4]) -> [f64; 4] {
    [1.0 / (1.0 + (step - 1) as f64 * numbers.lr_decay), 1.0, 1.0, 1.0]
}

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [sum, _, _]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        form: OptimizerForm,
    ) -> R {
        let s = *sum + g * g;
        *sum = s;
        let rate = learning_rate * settings.coefficients[0];
        if form.keras {
            w - rate * g / (s + settings.epsilon).sqrt()
        } else {
            w - rate * g / (s.sqrt() + settings.epsilon)
        }
    }
}
