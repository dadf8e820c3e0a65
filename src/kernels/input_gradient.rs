//! delta_below = (delta W) * dropout mask * act'(below). Twin of `shaders/input_gradient.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::{Real, Step, dropout_scale};
use crate::catalog::activation::Functions;
use crate::program::LayerSettings;

/// The uniform of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct InputGradient {
    /// M.
    pub members: u32,
    /// Inputs of the layer: the units below.
    pub inputs: u32,
    /// Units of the layer.
    pub outputs: u32,
    /// Elements between members in `delta`.
    pub delta_member_stride: u32,
    /// Elements between members in `below`, `pre_activation` and `delta_below`.
    pub below_member_stride: u32,
    /// Elements between members in `parameters`.
    pub parameter_stride: u32,
    /// Where the weights `[outputs, inputs]` begin.
    pub weight_offset: u32,
    /// Row of the layer table for the layer below.
    pub layer: u32,
    /// Rows of the layer table a member.
    pub layer_stride: u32,
    /// The first parameter of the activation below.
    pub alpha: f32,
    /// Its second parameter.
    pub beta: f32,
    /// Unused.
    pub spare0: u32,
}

/// One member's call.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn input_gradient<R: Real>(
    call: &InputGradient,
    step: &Step<R>,
    activation: &Functions<R>,
    act_parameters: [R; 2],
    layers: &[LayerSettings],
    delta: &[R],
    parameters: &[R],
    below: &[R],
    pre_activation: Option<&[R]>,
    delta_below: &mut [R],
) {
    let (inputs, outputs) = (call.inputs as usize, call.outputs as usize);
    let layer = &layers[step.member * call.layer_stride as usize + call.layer as usize];
    let weights = step.member * call.parameter_stride as usize + call.weight_offset as usize;
    for row in 0..step.rows() {
        let base = step.member * call.delta_member_stride as usize + row * outputs;
        for column in 0..inputs {
            let mut sum = R::zero();
            for k in 0..outputs {
                sum += delta[base + k] * parameters[weights + k * inputs + column];
            }
            let element = row * inputs + column;
            let index = step.member * call.below_member_stride as usize + element;
            let scale = R::of(f64::from(dropout_scale(layer, element as u32, step.settings.step)));
            let mut result = R::zero();
            if scale != R::zero() {
                // `below` holds the output after dropout; the derivative wants it before.
                let y = below[index] / scale;
                let x = pre_activation.map_or(R::zero(), |kept| kept[index]);
                result = sum * scale * (activation.act_grad)(x, y, act_parameters);
            }
            delta_below[index] = result;
        }
    }
}
