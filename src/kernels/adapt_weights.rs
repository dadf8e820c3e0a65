//! A member's weights out of those that all members share: w s r, of a unit's factor s and an input's r.
//! It is what BatchEnsemble (Wen et al. 2020, equation 1) makes of a member. Twin of
//! `shaders/adapt_weights.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct AdaptWeights {
        /// M.
        pub members: u32,
        /// Inputs of the layer.
        pub inputs: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `parameters` and `adapted`.
        pub parameter_stride: u32,
        /// Where the weights `[units, inputs]` begin.
        pub weight_offset: u32,
        /// Where the biases `[units]` begin, which are copied.
        pub bias_offset: u32,
        /// 1: a member's inputs are multiplied.
        pub input_adapter: u32,
        /// 1: its sums are multiplied.
        pub output_adapter: u32,
        /// Where the factors `[inputs]` begin, where there are any.
        pub input_adapter_offset: u32,
        /// Where the factors `[units]` begin, where there are any.
        pub output_adapter_offset: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
    }
}

/// One member's call.
pub fn adapt_weights<R: Real>(
    call: &AdaptWeights,
    step: &Step<R>,
    parameters: &[R],
    adapted: &mut [R],
) {
    let (inputs, units) = (call.inputs as usize, call.units as usize);
    let arena = step.member * call.parameter_stride as usize;
    let at = |offset: u32| arena + offset as usize;
    let ones = vec![R::one(); if call.input_adapter == 1 { 0 } else { inputs }];
    let of_inputs = match call.input_adapter {
        1 => &parameters[at(call.input_adapter_offset)..][..inputs],
        _ => &ones,
    };
    let first = at(call.weight_offset);
    for unit in 0..units {
        let of_unit = match call.output_adapter {
            1 => parameters[at(call.output_adapter_offset) + unit],
            _ => R::one(),
        };
        let row = first + unit * inputs..first + (unit + 1) * inputs;
        let weights = parameters[row.clone()].iter().zip(of_inputs);
        for (own, (shared, of_input)) in adapted[row].iter_mut().zip(weights) {
            *own = *shared * of_unit * *of_input;
        }
    }
    let biases = at(call.bias_offset)..at(call.bias_offset) + units;
    adapted[biases.clone()].copy_from_slice(&parameters[biases]);
}
