//! delta_below = (delta W) * dropout mask * act'(below). Twin of `shaders/input_gradient.wgsl`.

use super::{Real, Step, dropout_scale};
use crate::catalog::activation::Functions;
use crate::program::LayerSettings;

uniform! {
    /// The uniform of a call.
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
}

/// What becomes of the gradient by the output of the layer below.
#[derive(Debug)]
pub enum Below<'a, R> {
    /// Its activation is part of the matrix product: so is the derivative.
    Activated {
        /// The activation.
        activation: &'a Functions<R>,
        /// Its parameters.
        values: [R; 2],
        /// The layer table.
        layers: &'a [LayerSettings],
        /// Its outputs, after dropout.
        outputs: &'a [R],
        /// What its activation was given, where the derivative needs it.
        pre_activation: Option<&'a [R]>,
    },
    /// It is handed on as it is.
    Plain {
        /// What goes round this layer is added.
        residual_gradient: Option<&'a [R]>,
    },
}

/// One member's call.
pub fn input_gradient<R: Real>(
    call: &InputGradient,
    step: &Step<R>,
    delta: &[R],
    parameters: &[R],
    below: &Below<R>,
    delta_below: &mut [R],
) {
    let (inputs, outputs) = (call.inputs as usize, call.outputs as usize);
    let weights = step.member * call.parameter_stride as usize + call.weight_offset as usize;
    for row in 0..step.rows() {
        let base = step.member * call.delta_member_stride as usize + row * outputs;
        let below_base = step.member * call.below_member_stride as usize + row * inputs;
        // A row's sums side by side, each in its own order: the weights lie in that of memory.
        let sums = &mut delta_below[below_base..below_base + inputs];
        sums.fill(R::zero());
        for k in 0..outputs {
            let weights = &parameters[weights + k * inputs..][..inputs];
            let factor = delta[base + k];
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += factor * *weight);
        }
        for column in 0..inputs {
            let element = row * inputs + column;
            let index = below_base + column;
            let sum = delta_below[index];
            delta_below[index] = match below {
                Below::Plain { residual_gradient } => {
                    sum + residual_gradient.map_or(R::zero(), |round| round[index])
                }
                Below::Activated { activation, values, layers, outputs, pre_activation } => {
                    let layer =
                        &layers[step.member * call.layer_stride as usize + call.layer as usize];
                    let scale = dropout_scale(layer, element as u32, step.settings.batch);
                    let scale = R::of(f64::from(scale));
                    if scale == R::zero() {
                        R::zero()
                    } else {
                        // The output after dropout; the derivative wants it before.
                        let y = outputs[index] / scale;
                        let x = pre_activation.map_or(R::zero(), |kept| kept[index]);
                        sum * scale * (activation.act_grad)(x, y, *values)
                    }
                }
            };
        }
    }
}
