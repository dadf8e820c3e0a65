//! Adam: the mean of the gradient over the root of the mean of its square, both corrected for
//! their start at 0.
//!
//! PyTorch: lr mhat / (sqrt(vhat) + eps). Keras: lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps).
//! AMSGrad divides by the largest v so far.
//!
//! Source: Kingma and Ba, "Adam: A method for stochastic optimization", 2015; Reddi et al., "On the
//! convergence of Adam and beyond", 2018; `torch.optim.Adam`; `keras.optimizers.Adam`.

use super::{Formula, OptimizerForm};
use crate::catalog::parameter::Parameter;
use crate::kernels::Real;
use crate::program::StepSettings;

pub(super) struct Variant;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1e-3, 1e-3),
    super::weight_decay(0.0, 0.0),
    super::beta1(0.9),
    super::beta2(0.999),
    super::epsilon(1e-8, 1e-7),
];

pub(super) const FLAGS: &[super::Flag] = &["amsgrad"];

pub(super) use super::zeros as initial;

pub(super) use super::corrections as coefficients;

impl Formula for Variant {
    fn opt_step<R: Real>(
        w: R,
        g: R,
        [mean, square, largest]: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        form: OptimizerForm,
    ) -> R {
        let m = *mean + (R::one() - settings.beta1) * (g - *mean);
        let mut v = *square + (R::one() - settings.beta2) * (g * g - *square);
        *mean = m;
        *square = v;
        if form.amsgrad {
            v = v.max(*largest);
            *largest = v;
        }
        let [correction1, correction2, ..] = settings.coefficients;
        let rate = learning_rate / correction1;
        if form.keras {
            w - rate * correction2.sqrt() * m / (v.sqrt() + settings.epsilon)
        } else {
            w - rate * m / ((v * correction2.recip()).sqrt() + settings.epsilon)
        }
    }
}
