//! Per block of 64 parameters: the sum of squared gradients (L1 and L2 terms included) and the
//! regularisation penalty. Twin of `shaders/gradient_statistics.wgsl`.

use super::optimizer_step::BLOCK_SETTINGS;
use super::{Real, Step};

/// Parameters that share one row of `block_settings`.
pub const BLOCK: usize = 64;

uniform! {
    /// The uniform of a call.
    pub struct GradientStatistics {
        /// M.
        pub members: u32,
        /// Blocks of 64 parameters a member.
        pub blocks: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
    }
}

/// The sign of `x`; 0 for 0, as in WGSL.
pub fn sign<R: Real>(x: R) -> R {
    if x > R::zero() {
        R::one()
    } else if x < R::zero() {
        -R::one()
    } else {
        R::zero()
    }
}

/// One member's call.
pub fn gradient_statistics<R: Real>(
    call: &GradientStatistics,
    step: &Step<R>,
    parameters: &[R],
    gradients: &[R],
    block_settings: &[R],
    partials: &mut [R],
) {
    for block in 0..call.blocks as usize {
        let at = step.member * call.blocks as usize + block;
        let (l1, l2) =
            (block_settings[at * BLOCK_SETTINGS], block_settings[at * BLOCK_SETTINGS + 1]);
        let mut squares = R::zero();
        let mut penalty = R::zero();
        for i in at * BLOCK..(at + 1) * BLOCK {
            let w = parameters[i];
            let g = gradients[i] + l1 * sign(w) + l2 * w;
            squares += g * g;
            penalty += l1 * w.abs() + R::of(0.5) * l2 * w * w;
        }
        partials[at * 2] = squares;
        partials[at * 2 + 1] = penalty;
    }
}
