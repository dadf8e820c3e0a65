//! output = dropout(act(input W^T + bias)). Twin of `shaders/dense_forward.wgsl`.

use super::{Real, Step, dropout_scale};
use crate::catalog::activation::Functions;
use crate::program::LayerSettings;

uniform! {
    /// The uniform of a call.
    pub struct DenseForward {
        /// M.
        pub members: u32,
        /// Inputs of the layer.
        pub inputs: u32,
        /// Units of the layer.
        pub outputs: u32,
        /// Elements between members in `input`; 0 when all share the data set.
        pub input_member_stride: u32,
        /// Elements between members in `output` and `pre_activation`.
        pub output_member_stride: u32,
        /// Elements between members in `order`.
        pub order_stride: u32,
        /// Elements between members in `parameters`.
        pub parameter_stride: u32,
        /// Where the weights `[outputs, inputs]` begin.
        pub weight_offset: u32,
        /// Where the biases `[outputs]` begin.
        pub bias_offset: u32,
        /// Row of the layer table.
        pub layer: u32,
        /// Rows of the layer table a member.
        pub layer_stride: u32,
        /// 1 in training, 0 in evaluation.
        pub dropout: u32,
        /// The activation's first parameter.
        pub alpha: f32,
        /// The activation's second parameter.
        pub beta: f32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
    }
}

/// One member's call.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn dense_forward<R: Real>(
    call: &DenseForward,
    step: &Step<R>,
    activation: &Functions<R>,
    act_parameters: [R; 2],
    layers: &[LayerSettings],
    input: &[R],
    parameters: &[R],
    mut pre_activation: Option<&mut [R]>,
    output: &mut [R],
) {
    let (inputs, outputs) = (call.inputs as usize, call.outputs as usize);
    let arena = step.member * call.parameter_stride as usize;
    let layer = &layers[step.member * call.layer_stride as usize + call.layer as usize];
    for row in 0..step.rows() {
        let base = step.member * call.input_member_stride as usize
            + step.input_row(call.order_stride, row) * inputs;
        let values = &input[base..base + inputs];
        for column in 0..outputs {
            let weights = arena + call.weight_offset as usize + column * inputs;
            let weights = &parameters[weights..weights + inputs];
            let mut sum = R::zero();
            values.iter().zip(weights).for_each(|(value, weight)| sum += *value * *weight);
            let z = sum + parameters[arena + call.bias_offset as usize + column];
            let element = row * outputs + column;
            let index = step.member * call.output_member_stride as usize + element;
            if let Some(kept) = pre_activation.as_deref_mut() {
                kept[index] = z;
            }
            let mut y = (activation.act)(z, act_parameters);
            if call.dropout == 1 {
                let scale = dropout_scale(layer, element as u32, step.settings.batch);
                y *= R::of(f64::from(scale));
            }
            output[index] = y;
        }
    }
}
