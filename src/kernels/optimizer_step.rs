//! One optimizer step over the flat parameter arena. Twin of `shaders/optimizer_step.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::gradient_statistics::{BLOCK, sign};
use super::{Real, Step};
use crate::catalog::optimizer::{OptStep, OptimizerForm};
use crate::program::MemberState;

/// The uniform of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct OptimizerStep {
    /// M.
    pub members: u32,
    /// Groups of 4 parameters a member.
    pub quads: u32,
    /// Unused.
    pub spare0: u32,
    /// Unused.
    pub spare1: u32,
}

/// One member's call. A moment that the form does not keep may be empty.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn optimizer_step<R: Real>(
    call: &OptimizerStep,
    step: &Step<R>,
    opt_step: OptStep<R>,
    form: OptimizerForm,
    gradients: &[R],
    block_settings: &[R],
    parameters: &mut [R],
    moments: [&mut [R]; 3],
    state: &mut MemberState,
) {
    let length = call.quads as usize * 4;
    let settings = &step.settings;
    let mut unused = [R::zero(); 3];
    let [u0, u1, u2] = &mut unused;
    let [m0, m1, m2] = moments;
    for element in 0..length {
        let i = step.member * length + element;
        let block = &block_settings[i / BLOCK * 4..i / BLOCK * 4 + 4];
        let w = parameters[i];
        let g = gradients[i] + block[0] * sign(w) + block[1] * w;
        let learning_rate = settings.learning_rate * block[3];
        let decayed = w - learning_rate * settings.weight_decay * block[2] * w;
        let kept = [
            m0.get_mut(i).unwrap_or(&mut *u0),
            m1.get_mut(i).unwrap_or(&mut *u1),
            m2.get_mut(i).unwrap_or(&mut *u2),
        ];
        let updated = opt_step(decayed, g, kept, settings, learning_rate, form);
        if !g.is_finite() || !updated.is_finite() {
            state.bad_element = state.bad_element.min(element as u32);
        }
        parameters[i] = updated;
    }
}
