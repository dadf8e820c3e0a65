//! Begins the gradients of embedded columns' tables: 0 where no batch before is added to. Runs before
//! `embedding_gradient`. Twin of `shaders/zero_gradients.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct ZeroGradients {
        /// M.
        pub members: u32,
        /// Groups of 4 gradients a member, from the arena's beginning.
        pub quads: u32,
        /// Groups of 4 between members in `gradients`.
        pub member_stride: u32,
        /// Unused.
        pub spare0: u32,
    }
}

/// One member's call.
pub fn zero_gradients<R: Real>(call: &ZeroGradients, step: &Step<R>, gradients: &mut [R]) {
    if step.settings.accumulates == 0 {
        let first = step.member * call.member_stride as usize * 4;
        gradients[first..first + call.quads as usize * 4].fill(R::zero());
    }
}
