//! Muon's momentum, and the direction that is to be orthogonalised, with the sum of its squares
//! a block. Twin of `shaders/muon_momentum.wgsl`.

use super::gradient_statistics::BLOCK;
use super::optimizer_step::BLOCK_SETTINGS;
use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct MuonMomentum {
        /// M.
        pub members: u32,
        /// Groups of 4 parameters a member.
        pub quads: u32,
        /// 1: Keras' form of the momentum.
        pub keras: u32,
        /// 1: Nesterov's form.
        pub nesterov: u32,
    }
}

/// One member's call; blocks that are not orthogonalised are left alone.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn muon_momentum<R: Real>(
    call: &MuonMomentum,
    step: &Step<R>,
    gradients: &[R],
    block_settings: &[R],
    moment0: &mut [R],
    direction: &mut [R],
    partials: &mut [R],
) {
    if step.settings.updates == 0 {
        return;
    }
    let blocks = call.quads as usize * 4 / BLOCK;
    let mu = step.settings.momentum;
    for block in step.member * blocks..(step.member + 1) * blocks {
        if block_settings[block * BLOCK_SETTINGS + 4] == R::zero() {
            continue;
        }
        let mut squares = R::zero();
        for i in block * BLOCK..(block + 1) * BLOCK {
            let g = gradients[i];
            let d = if call.keras == 1 {
                moment0[i] = mu * moment0[i] + g;
                if call.nesterov == 1 { g + mu * moment0[i] } else { moment0[i] }
            } else {
                moment0[i] = moment0[i] + (g - moment0[i]) * (R::one() - mu);
                if call.nesterov == 1 { g + (moment0[i] - g) * mu } else { moment0[i] }
            };
            direction[i] = d;
            squares += d * d;
        }
        partials[block * 2] = squares;
        partials[block * 2 + 1] = R::zero();
    }
}
