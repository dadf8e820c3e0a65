//! NAdam: Adam with Nesterov's momentum, whose momentum rises with the step.
//!
//! mu_t = b1 (1 - 0.96^(t momentum_decay) / 2), and M_t the product of all mu up to t:
//! w -= lr ((1 - mu_t) / (1 - M_t) g + mu_(t+1) / (1 - M_t mu_(t+1)) m) / (sqrt(vhat) + eps).
//! PyTorch's momentum_decay is 0.004, Keras' is 1.
//!
//! Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016; `torch.optim.NAdam`;
//! `keras.optimizers.Nadam`.

use super::{Formula, Hyperparameters, OptimizerForm};
use crate::catalog::parameter::{Parameter, Range};
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(2e-3, 1e-3),
    super::weight_decay(0.0, 0.0),
    super::beta1(0.9),
    super::beta2(0.999),
    super::epsilon(1e-8, 1e-7),
    Parameter::new(
        "momentum_decay",
        0.004,
        Range::NotNegative,
        "how fast the momentum rises to beta1",
    )
    .keras(1.0),
];

pub(super) const FLAGS: &[super::Flag] = &[];

pub(super) use super::zeros as initial;

/// 1 - b2^t, the shares of g and of m, and the product of the momenta so far.
pub(super) fn coefficients(numbers: &Hyperparameters, step: u64, before: [f64; 4]) -> [f64; 4] {
    let momentum =
        |step: f64| numbers.beta1 * (1.0 - 0.5 * 0.96_f64.powf(step * numbers.momentum_decay));
    let step = step as f64;
    let (now, next) = (momentum(step), momentum(step + 1.0));
    let product = before[3] * now;
    [
        1.0 - numbers.beta2.powf(step),
        (1.0 - now) / (1.0 - product),
        next / (1.0 - product * next),
        product,
    ]
}

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [mean, square, _]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        _form: OptimizerForm,
    ) -> R {
        let m = *mean + (R::one() - settings.beta1) * (g - *mean);
        let v = *square + (R::one() - settings.beta2) * (g * g - *square);
        *mean = m;
        *square = v;
        let [correction, of_gradient, of_mean, _] = settings.coefficients;
        let direction = of_gradient * g + of_mean * m;
        w - learning_rate * direction / ((v / correction).sqrt() + settings.epsilon)
    }
}
