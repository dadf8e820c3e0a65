//! The gradient of learned slopes: sums of delta min(x, 0) over the rows, and over the units that
//! share one. Runs before `layer_gradient`. Twin of `shaders/slope_gradient.wgsl`.

use super::{Real, Step, dropout_scale};
use crate::program::LayerSettings;

uniform! {
    /// The uniform of a call.
    pub struct SlopeGradient {
        /// M.
        pub members: u32,
        /// Units of the layer.
        pub units: u32,
        /// Learned slopes: 1 for all units, or one a unit.
        pub slopes: u32,
        /// Elements between members in `input` and `delta`.
        pub member_stride: u32,
        /// Elements between members in `gradients`.
        pub parameter_stride: u32,
        /// Where the learned slopes begin.
        pub slope_offset: u32,
        /// Row of the layer table.
        pub layer: u32,
        /// Rows of the layer table a member.
        pub layer_stride: u32,
    }
}

/// One member's call.
pub fn slope_gradient<R: Real>(
    call: &SlopeGradient,
    step: &Step<R>,
    layers: &[LayerSettings],
    input: &[R],
    delta: &[R],
    gradients: &mut [R],
) {
    let units = call.units as usize;
    let slopes = call.slopes as usize;
    let layer = &layers[step.member * call.layer_stride as usize + call.layer as usize];
    let first = step.member * call.member_stride as usize;
    let own = step.member * call.parameter_stride as usize + call.slope_offset as usize;
    let elements = step.rows() * units;
    for slope in 0..slopes {
        let mut sum = R::zero();
        for element in (slope..elements).step_by(slopes) {
            let scale = dropout_scale(layer, element as u32, step.settings.batch);
            let x = input[first + element].min(R::zero());
            sum += delta[first + element] * R::of(f64::from(scale)) * x;
        }
        let before =
            if step.settings.accumulates == 1 { gradients[own + slope] } else { R::zero() };
        gradients[own + slope] = sum * step.unscale + before;
    }
}
