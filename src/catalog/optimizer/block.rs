//! A variant's formula over a block of parameters, with its form known to the compiler, so that
//! the loop is vectorised and nothing in it is decided again for each parameter.

use super::{Formula, OptimizerForm};
use crate::kernels::gradient_statistics::BLOCK;
use crate::program::StepSettings;

/// `(weights, gradients, moments, settings, learning rate, form)`; weights after decoupled decay.
pub type StepBlock = fn(
    &mut [f32; BLOCK],
    &[f32; BLOCK],
    [&mut [f32; BLOCK]; 3],
    &StepSettings<f32>,
    f32,
    OptimizerForm,
);

const fn form(bits: usize) -> OptimizerForm {
    OptimizerForm {
        keras: bits & 1 != 0,
        with_momentum: bits & 2 != 0,
        nesterov: bits & 4 != 0,
        centered: bits & 8 != 0,
        amsgrad: bits & 16 != 0,
    }
}

fn bits(form: OptimizerForm) -> usize {
    usize::from(form.keras)
        | usize::from(form.with_momentum) << 1
        | usize::from(form.nesterov) << 2
        | usize::from(form.centered) << 3
        | usize::from(form.amsgrad) << 4
}

fn in_form<F: Formula, const BITS: usize>(
    weights: &mut [f32; BLOCK],
    gradients: &[f32; BLOCK],
    [m0, m1, m2]: [&mut [f32; BLOCK]; 3],
    settings: &StepSettings<f32>,
    learning_rate: f32,
) {
    for i in 0..BLOCK {
        let moments = [&mut m0[i], &mut m1[i], &mut m2[i]];
        weights[i] = F::opt_step(
            weights[i],
            gradients[i],
            moments,
            settings,
            learning_rate,
            const { form(BITS) },
        );
    }
}

pub(super) fn step_block<F: Formula>(
    weights: &mut [f32; BLOCK],
    gradients: &[f32; BLOCK],
    moments: [&mut [f32; BLOCK]; 3],
    settings: &StepSettings<f32>,
    learning_rate: f32,
    form: OptimizerForm,
) {
    macro_rules! dispatch {
        ($($bits:literal)*) => {
            match bits(form) {
                $($bits => {
                    in_form::<F, $bits>(weights, gradients, moments, settings, learning_rate);
                })*
                _ => {}
            }
        };
    }
    dispatch!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
}
