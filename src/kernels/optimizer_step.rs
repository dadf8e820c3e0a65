//! One optimizer step over the flat parameter arena. Twin of `shaders/optimizer_step.wgsl`.

use super::gradient_statistics::{BLOCK, sign};
use super::{Real, Step};
use crate::catalog::optimizer::{OptStep, OptimizerForm};
use crate::program::{MemberState, StepSettings};

/// Numbers that a block of 64 parameters has in `block_settings`: L1 and L2 (the coefficient of w
/// in the gradient), the factors of weight decay and of the learning rate; then 1 where the
/// gradient is the step itself (Muon's matrices), the clip group, the matrix among Muon's, and one
/// unused. All blocks of a tensor have the same: a kernel may read them once for all.
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
        /// Rows of each part that the batch is split into, whose gradients lie behind one another:
        /// those of all parts with rows are summed in their order. 0: the batch is not split.
        pub part_rows: u32,
    }
}

impl OptimizerStep {
    /// Parts of a batch of so many rows that have a gradient of their own.
    pub fn parts(&self, rows: u64) -> u64 {
        if self.part_rows == 0 { 1 } else { rows.div_ceil(u64::from(self.part_rows)) }
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
    let mut stepped = Parameter {
        settings,
        opt_step,
        form,
        block_settings,
        penalties: call.penalties == 1,
        parameters,
        moments,
    };
    let arena = step.member * length;
    let parts = call.parts(step.rows() as u64) as usize;
    for element in 0..length {
        let of_part =
            |part: usize| gradients[part * call.members as usize * length + arena + element];
        let gradient = (1..parts).fold(of_part(0), |sum, part| sum + of_part(part));
        stepped.apply(arena, element, gradient, state);
    }
}

/// What steps a parameter. Twin of `shaders/shared/apply_step.wgsl`.
#[derive(Debug)]
pub(super) struct Parameter<'a, R> {
    pub settings: &'a StepSettings<R>,
    pub opt_step: OptStep<R>,
    pub form: OptimizerForm,
    /// Empty where all blocks have the settings of a plain step.
    pub block_settings: &'a [R],
    /// Whether the L1 and L2 terms are added here.
    pub penalties: bool,
    pub parameters: &'a mut [R],
    /// A moment that the form does not keep may be empty.
    pub moments: [&'a mut [R]; 3],
}

impl<R: Real> Parameter<'_, R> {
    /// Steps an element of the member's arena, which begins at `arena`.
    pub fn apply(&mut self, arena: usize, element: usize, gradient: R, state: &mut MemberState) {
        let i = arena + element;
        let alike = [R::zero(), R::zero(), R::one(), R::one(), R::zero()];
        let block = match self.block_settings {
            [] => &alike[..],
            settings => &settings[i / BLOCK * BLOCK_SETTINGS..],
        };
        let w = self.parameters[i];
        let mut g = gradient;
        if self.penalties {
            g += block[0] * sign(w) + block[1] * w;
        }
        let learning_rate = self.settings.learning_rate * block[3];
        let decayed = w - learning_rate * self.settings.weight_decay * block[2] * w;
        let mut unused = [R::zero(); 3];
        let [u0, u1, u2] = &mut unused;
        let [m0, m1, m2] = &mut self.moments;
        let kept =
            [m0.get_mut(i).unwrap_or(u0), m1.get_mut(i).unwrap_or(u1), m2.get_mut(i).unwrap_or(u2)];
        let updated = if block[4] == R::zero() {
            (self.opt_step)(decayed, g, kept, self.settings, learning_rate, self.form)
        } else {
            decayed - learning_rate * g
        };
        if !g.is_finite() || !updated.is_finite() {
            state.bad_element = state.bad_element.min(element as u32);
        }
        self.parameters[i] = updated;
    }
}
