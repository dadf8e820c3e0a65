//! Adadelta: the gradient scaled by the root mean square of past steps over that of past gradients.
//!
//! v = rho v + (1 - rho) g^2; d = g sqrt(u + eps) / sqrt(v + eps); u = rho u + (1 - rho) d^2;
//! w -= lr d. PyTorch and Keras agree but for their defaults.
//!
//! Source: Zeiler, "ADADELTA: An adaptive learning rate method", 2012; `torch.optim.Adadelta`;
//! `keras.optimizers.Adadelta`.

use super::{Formula, OptimizerForm};
use crate::catalog::parameter::Parameter;
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1.0, 1e-3),
    super::weight_decay(0.0, 0.0),
    super::rho(0.9, 0.95),
    super::epsilon(1e-6, 1e-7),
];

pub(super) const FLAGS: &[super::Flag] = &[];

pub(super) use super::zeros as initial;

pub(super) use super::ones as coefficients;

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [square, step_square, _]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        _form: OptimizerForm,
    ) -> R {
        let rho = settings.rho;
        let v = rho * *square + (R::one() - rho) * g * g;
        *square = v;
        let ratio = (*step_square + settings.epsilon).sqrt() / (v + settings.epsilon).sqrt();
        let d = g * ratio;
        *step_square = rho * *step_square + (R::one() - rho) * d * d;
        w - learning_rate * d
    }
}
