//! Adamax: Adam with the infinity norm in place of the root of the mean square.
//!
//! PyTorch: u = max(b2 u, |g| + eps); w -= lr / (1 - b1^t) m / u. Keras: u = max(b2 u, |g|);
//! w -= lr / (1 - b1^t) m / (u + eps).
//!
//! Source: Kingma and Ba, "Adam", 2015, section 7.1; `torch.optim.Adamax`; `keras.optimizers.Adamax`.

use super::{Formula, OptimizerForm};
use crate::catalog::parameter::Parameter;
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(2e-3, 1e-3),
    super::weight_decay(0.0, 0.0),
    super::beta1(0.9),
    super::beta2(0.999),
    super::epsilon(1e-8, 1e-7),
];

pub(super) const FLAGS: &[super::Flag] = &[];

pub(super) use super::zeros as initial;

pub(super) use super::corrections as coefficients;

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [mean, norm, _]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        form: OptimizerForm,
    ) -> R {
        let m = *mean + (R::one() - settings.beta1) * (g - *mean);
        *mean = m;
        let rate = learning_rate / settings.coefficients[0];
        if form.keras {
            let u = (settings.beta2 * *norm).max(g.abs());
            *norm = u;
            w - rate * m / (u + settings.epsilon)
        } else {
            let u = (settings.beta2 * *norm).max(g.abs() + settings.epsilon);
            *norm = u;
            w - rate * m / u
        }
    }
}
