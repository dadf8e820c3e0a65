//! dW = delta^T input, db = column sums of delta: the bias is one more input that is always 1.
//! Twin of `shaders/weight_gradient.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct WeightGradient {
        /// M.
        pub members: u32,
        /// Inputs of the layer.
        pub inputs: u32,
        /// Units of the layer.
        pub outputs: u32,
        /// Elements between members in `input`; 0 when all share the data set.
        pub input_member_stride: u32,
        /// Elements between members in `delta`.
        pub delta_member_stride: u32,
        /// Elements between members in `order`.
        pub order_stride: u32,
        /// Elements between members in `gradients`.
        pub parameter_stride: u32,
        /// Where the weights `[outputs, inputs]` begin.
        pub weight_offset: u32,
        /// Where the biases `[outputs]` begin.
        pub bias_offset: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
        /// Unused.
        pub spare2: u32,
    }
}

/// One member's call.
pub fn weight_gradient<R: Real>(
    call: &WeightGradient,
    step: &Step<R>,
    input: &[R],
    delta: &[R],
    gradients: &mut [R],
) {
    let (inputs, outputs) = (call.inputs as usize, call.outputs as usize);
    let arena = step.member * call.parameter_stride as usize;
    // A unit's sums side by side, each in its own order: the inputs lie in that of memory.
    let mut sums = vec![R::zero(); inputs + 1];
    for row in 0..outputs {
        sums.fill(R::zero());
        for k in 0..step.rows() {
            let a = delta[step.member * call.delta_member_stride as usize + k * outputs + row];
            let base = step.member * call.input_member_stride as usize
                + step.input_row(call.order_stride, k) * inputs;
            let values = &input[base..base + inputs];
            sums[..inputs].iter_mut().zip(values).for_each(|(sum, b)| *sum += a * *b);
            sums[inputs] += a;
        }
        for (column, sum) in sums.iter().enumerate() {
            let mut sum = *sum;
            sum *= step.unscale;
            let at = arena
                + if column == inputs {
                    call.bias_offset as usize + row
                } else {
                    call.weight_offset as usize + row * inputs + column
                };
            if step.settings.accumulates == 1 {
                gradients[at] += sum;
            } else {
                gradients[at] = sum;
            }
        }
    }
}
