//! One optimizer step over the flat parameter arena. Twin of `shaders/optimizer_step.wgsl`.

use super::gradient_statistics::{BLOCK, sign};
use super::{Real, Step};
use crate::catalog::optimizer::{OptStep, OptimizerForm};
use crate::program::MemberState;

/// Numbers that a block of 64 parameters has in `block_settings`: L1 and L2 (the coefficient of w
/// in the gradient), the factors of weight decay and of the learning rate; then 1 where the
/// gradient is the step itself (Muon's matrices), the clip group, the matrix among Muon's, and one
/// unused.
pub const BLOCK_SETTINGS: usize = 8;

uniform! {
    /// The uniform of a call.
    pub struct OptimizerStep {
        /// M.
        pub members: u32,
        /// Groups of 4 parameters a member.
        pub quads: u32,
        /// 1: the L1 and L2 terms are added here; 0: `clip_gradients` did.
        pub penalties: u32,
        /// Unused.
        pub spare0: u32,
    }
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
    let settings = &step.settings;
    if settings.updates == 0 {
        return;
    }
    let length = call.quads as usize * 4;
    let mut unused = [R::zero(); 3];
    let [u0, u1, u2] = &mut unused;
    let [m0, m1, m2] = moments;
    for element in 0..length {
        let i = step.member * length + element;
        let block = &block_settings[i / BLOCK * BLOCK_SETTINGS..];
        let w = parameters[i];
        let mut g = gradients[i];
        if call.penalties == 1 {
            g += block[0] * sign(w) + block[1] * w;
        }
        let learning_rate = settings.learning_rate * block[3];
        let decayed = w - learning_rate * settings.weight_decay * block[2] * w;
        let kept = [
            m0.get_mut(i).unwrap_or(&mut *u0),
            m1.get_mut(i).unwrap_or(&mut *u1),
            m2.get_mut(i).unwrap_or(&mut *u2),
        ];
        let updated = if block[4] == R::zero() {
            opt_step(decayed, g, kept, settings, learning_rate, form)
        } else {
            decayed - learning_rate * g
        };
        if !g.is_finite() || !updated.is_finite() {
            state.bad_element = state.bad_element.min(element as u32);
        }
        parameters[i] = updated;
    }
}
