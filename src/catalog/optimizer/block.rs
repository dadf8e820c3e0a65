//! A variant's formula over many parameters, with its form known to the compiler, so that the loop
//! is vectorised and nothing in it is decided again for each parameter.

use super::{Formula, OptimizerForm};
use crate::program::StepSettings;

/// `(weights, gradients, moments, settings, learning rate, form)`; weights after decoupled decay. The
/// lengths are one multiple of [`GROUP`]; a moment that the form does not keep may be empty.
pub type StepSlice =
    fn(&mut [f32], &[f32], [&mut [f32]; 3], &StepSettings<f32>, f32, OptimizerForm);

/// Parameters that the formula takes at a time.
pub const GROUP: usize = 32;

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

#[inline(always)]
fn in_form<F: Formula, const BITS: usize>(
    weights: &mut [f32],
    gradients: &[f32],
    [m0, m1, m2]: [&mut [f32]; 3],
    settings: &StepSettings<f32>,
    learning_rate: f32,
) {
    let mut unused = [[0.0; GROUP]; 3];
    let [u0, u1, u2] = &mut unused;
    let (m0, m1, m2) = (m0.as_chunks_mut().0, m1.as_chunks_mut().0, m2.as_chunks_mut().0);
    let groups = weights.as_chunks_mut::<GROUP>().0.iter_mut();
    for (at, (weights, gradients)) in groups.zip(gradients.as_chunks::<GROUP>().0).enumerate() {
        let m0 = m0.get_mut(at).unwrap_or(&mut *u0);
        let m1 = m1.get_mut(at).unwrap_or(&mut *u1);
        let m2 = m2.get_mut(at).unwrap_or(&mut *u2);
        for i in 0..GROUP {
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
}

pub(super) fn step_slice<F: Formula>(
    weights: &mut [f32],
    gradients: &[f32],
    moments: [&mut [f32]; 3],
    settings: &StepSettings<f32>,
    learning_rate: f32,
    form: OptimizerForm,
) {
    // By value: the loop then knows that no parameter is part of the settings.
    let settings = *settings;
    macro_rules! dispatch {
        ($($bits:literal)*) => {
            match bits(form) {
                $($bits => pulp::Arch::new().dispatch(
                    #[inline(always)]
                    || in_form::<F, $bits>(weights, gradients, moments, &settings, learning_rate),
                ),)*
                _ => {}
            }
        };
    }
    dispatch!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
}
