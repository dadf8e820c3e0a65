//! Lion: the sign of a mean of gradients.
//!
//! w -= lr sign(b1 m + (1 - b1) g), then m = b2 m + (1 - b2) g.
//!
//! Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023;
//! `keras.optimizers.Lion` (PyTorch has none).

use super::{Formula, OptimizerForm};
use crate::catalog::parameter::Parameter;
use crate::kernels::Real;
use crate::kernels::gradient_statistics::sign;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1e-3, 1e-3),
    super::weight_decay(0.0, 0.0),
    super::beta1(0.9),
    super::beta2(0.99),
];

pub(super) const FLAGS: &[super::Flag] = &[];

pub(super) use super::zeros as initial;

pub(super) use super::ones as coefficients;

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [mean, _, _]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        _form: OptimizerForm,
    ) -> R {
        let m = *mean;
        let direction = settings.beta1 * m + (R::one() - settings.beta1) * g;
        *mean = settings.beta2 * m + (R::one() - settings.beta2) * g;
        w - learning_rate * sign(direction)
    }
}
