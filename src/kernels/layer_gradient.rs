//! The gradient before a layer's activation, from that of its output, in place. Twin of
//! `shaders/layer_gradient.wgsl`.

use super::layer_output::act_parameters;
use super::{Real, Step, dropout_scale};
use crate::catalog::activation::Functions;
use crate::program::LayerSettings;

uniform! {
    /// The uniform of a call.
    pub struct LayerGradient {
        /// M.
        pub members: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `input`, `residual` and `output`.
        pub member_stride: u32,
        /// Elements between members in `parameters`.
        pub parameter_stride: u32,
        /// Where the learned slopes begin.
        pub slope_offset: u32,
        /// Learned slopes: 0, 1 for all units, or one a unit.
        pub slopes: u32,
        /// Row of the layer table.
        pub layer: u32,
        /// Rows of the layer table a member.
        pub layer_stride: u32,
        /// 1: with dropout and noise.
        pub training: u32,
        /// The activation's first parameter.
        pub alpha: f32,
        /// Its second parameter.
        pub beta: f32,
        /// Unused.
        pub spare0: u32,
    }
}

/// One member's call. `residual_gradient` keeps the output's gradient for what goes round the
/// layer.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn layer_gradient<R: Real>(
    call: &LayerGradient,
    step: &Step<R>,
    activation: &Functions<R>,
    values: [R; 2],
    layers: &[LayerSettings],
    parameters: &[R],
    input: &[R],
    delta: &mut [R],
    mut residual_gradient: Option<&mut [R]>,
) {
    let units = call.units as usize;
    let layer = &layers[step.member * call.layer_stride as usize + call.layer as usize];
    let slopes_at = step.member * call.parameter_stride as usize + call.slope_offset as usize;
    for element in 0..step.rows() * units {
        let at = step.member * call.member_stride as usize + element;
        if let Some(kept) = residual_gradient.as_deref_mut() {
            kept[at] = delta[at];
        }
        let scale = R::of(f64::from(dropout_scale(layer, element as u32, step.settings.batch)));
        let p = act_parameters(parameters, slopes_at, call.slopes, element % units, values);
        let y = (activation.act)(input[at], p);
        delta[at] = if scale == R::zero() {
            R::zero()
        } else {
            delta[at] * scale * (activation.act_grad)(input[at], y, p)
        };
    }
}
