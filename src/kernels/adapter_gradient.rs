//! Gradients of what a member's inputs and sums are multiplied by, out of the gradient g of the weights
//! that `adapt_weights` makes: of an input's factor the sum of g w s over the units, of a unit's that of
//! g w r over the inputs. Twin of `shaders/adapter_gradient.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct AdapterGradient {
        /// M.
        pub members: u32,
        /// Inputs of the layer.
        pub inputs: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `parameters` and `gradients`.
        pub parameter_stride: u32,
        /// Where the weights `[units, inputs]` begin.
        pub weight_offset: u32,
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
        /// Unused.
        pub spare2: u32,
    }
}

/// One member's call. What the weights' gradients are multiplied by is left to `share_gradients`.
pub fn adapter_gradient<R: Real>(
    call: &AdapterGradient,
    step: &Step<R>,
    parameters: &[R],
    gradients: &mut [R],
) {
    if step.settings.updates == 0 {
        return;
    }
    let (inputs, units) = (call.inputs as usize, call.units as usize);
    let arena = step.member * call.parameter_stride as usize;
    let at = |offset: u32| arena + offset as usize;
    let first = at(call.weight_offset);
    let factor = |has: u32, offset: u32, index: usize| match has {
        1 => parameters[at(offset) + index],
        _ => R::one(),
    };
    if call.input_adapter == 1 {
        let mut sums = vec![R::zero(); inputs];
        for unit in 0..units {
            let of_unit = factor(call.output_adapter, call.output_adapter_offset, unit);
            let row = first + unit * inputs..first + (unit + 1) * inputs;
            let terms = gradients[row.clone()].iter().zip(&parameters[row]);
            for (sum, (g, w)) in sums.iter_mut().zip(terms) {
                *sum += *g * *w * of_unit;
            }
        }
        gradients[at(call.input_adapter_offset)..][..inputs].copy_from_slice(&sums);
    }
    if call.output_adapter == 1 {
        for unit in 0..units {
            let row = first + unit * inputs..first + (unit + 1) * inputs;
            let terms = gradients[row.clone()].iter().zip(&parameters[row]).enumerate();
            let of_input =
                |index: usize| factor(call.input_adapter, call.input_adapter_offset, index);
            let sum = terms.map(|(index, (g, w))| *g * *w * of_input(index)).sum();
            gradients[at(call.output_adapter_offset) + unit] = sum;
        }
    }
}
