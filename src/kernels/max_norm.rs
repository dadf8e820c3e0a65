//! The max-norm constraint: a unit's weights are scaled down to the largest norm allowed. Twin of
//! `shaders/max_norm.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct MaxNorm {
        /// M.
        pub members: u32,
        /// Inputs of the layer.
        pub inputs: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `parameters`.
        pub parameter_stride: u32,
        /// Where the weights `[units, inputs]` begin.
        pub weight_offset: u32,
        /// 1: Keras' form, which divides by norm + 1e-7 within the limit too.
        pub keras: u32,
        /// The largest norm of a unit's weights.
        pub maximum: f32,
        /// Unused.
        pub spare0: u32,
    }
}

/// One member's call. `keras.constraints.MaxNorm`: w min(norm, maximum) / (norm + 1e-7);
/// `torch.renorm`: w maximum / (norm + 1e-7) where the norm is above the maximum.
pub fn max_norm<R: Real>(call: &MaxNorm, step: &Step<R>, maximum: R, parameters: &mut [R]) {
    if step.settings.updates == 0 {
        return;
    }
    let inputs = call.inputs as usize;
    let first = step.member * call.parameter_stride as usize + call.weight_offset as usize;
    for unit in parameters[first..].chunks_exact_mut(inputs).take(call.units as usize) {
        let norm = unit.iter().map(|w| *w * *w).sum::<R>().sqrt();
        if call.keras == 1 || norm > maximum {
            let factor = norm.min(maximum) / (norm + R::of(1e-7));
            unit.iter_mut().for_each(|w| *w *= factor);
        }
    }
}
