//! The running average of the weights: exponential (EMA), or equal (Polyak, SWA). Twin of
//! `shaders/average_parameters.wgsl`.

use super::gradient_statistics::BLOCK;
use super::optimizer_step::BLOCK_SETTINGS;
use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct AverageParameters {
        /// M.
        pub members: u32,
        /// Groups of 4 parameters a member.
        pub quads: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
    }
}

/// One member's call. What is not trained (a learning-rate factor of 0) is copied.
pub fn average_parameters<R: Real>(
    call: &AverageParameters,
    step: &Step<R>,
    parameters: &[R],
    block_settings: &[R],
    average: &mut [R],
) {
    if step.settings.updates == 0 {
        return;
    }
    let length = call.quads as usize * 4;
    for i in step.member * length..(step.member + 1) * length {
        let trained = block_settings[i / BLOCK * BLOCK_SETTINGS + 3] != R::zero();
        let rate = step.settings.average_rate;
        let copied = !trained || rate == R::one();
        let (w, a) = (parameters[i], average[i]);
        average[i] = if copied { w } else { a + (w - a) * rate };
    }
}
