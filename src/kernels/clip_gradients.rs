//! Clips the gradient, its L1 and L2 terms included. Twin of `shaders/clip_gradients.wgsl`.

use super::gradient_statistics::{BLOCK, sign};
use super::optimizer_step::BLOCK_SETTINGS;
use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct ClipGradients {
        /// M.
        pub members: u32,
        /// Groups of 4 parameters a member.
        pub quads: u32,
        /// Clip groups a member; 0: each value is clipped.
        pub groups: u32,
        /// Unused.
        pub spare0: u32,
    }
}

/// One member's call.
pub fn clip_gradients<R: Real>(
    call: &ClipGradients,
    step: &Step<R>,
    parameters: &[R],
    block_settings: &[R],
    factors: &[R],
    gradients: &mut [R],
) {
    if step.settings.updates == 0 {
        return;
    }
    let length = call.quads as usize * 4;
    let clip = step.settings.clip;
    for i in step.member * length..(step.member + 1) * length {
        let block = &block_settings[i / BLOCK * BLOCK_SETTINGS..];
        let w = parameters[i];
        let g = gradients[i] + block[0] * sign(w) + block[1] * w;
        gradients[i] = if call.groups == 0 {
            // A number that is not finite must be seen, not clipped.
            if g.is_finite() { g.max(-clip).min(clip) } else { g }
        } else {
            let group = block[5].to_usize().unwrap_or(0);
            g * factors[step.member * call.groups as usize + group]
        };
    }
}
