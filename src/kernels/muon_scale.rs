//! Scales each of Muon's matrices to a norm of 1. Twin of `shaders/muon_scale.wgsl`.

use super::gradient_statistics::BLOCK;
use super::optimizer_step::BLOCK_SETTINGS;
use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct MuonScale {
        /// M.
        pub members: u32,
        /// Groups of 4 parameters a member.
        pub quads: u32,
        /// Matrices a member.
        pub groups: u32,
        /// Unused.
        pub spare0: u32,
    }
}

/// One member's call.
pub fn muon_scale<R: Real>(
    call: &MuonScale,
    step: &Step<R>,
    block_settings: &[R],
    factors: &[R],
    direction: &mut [R],
) {
    if step.settings.updates == 0 {
        return;
    }
    let length = call.quads as usize * 4;
    for i in step.member * length..(step.member + 1) * length {
        let block = &block_settings[i / BLOCK * BLOCK_SETTINGS..];
        if block[4] != R::zero() {
            let group = block[6].to_usize().unwrap_or(0);
            direction[i] *= factors[step.member * call.groups as usize + group];
        }
    }
}
