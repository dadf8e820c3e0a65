//! The gradient of what members share, the heads of one network, at every head: the sum of theirs, in
//! their order. Where a head's weights are made of the shared ones (`adapt_weights`), its gradient is
//! multiplied by what they are. Twin of `shaders/share_gradients.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct ShareGradients {
        /// M.
        pub members: u32,
        /// Members that share, one after the other.
        pub heads: u32,
        /// Columns of what is shared: the inputs of weights, the size of a table.
        pub columns: u32,
        /// Elements of what is shared.
        pub length: u32,
        /// Elements between members in `parameters` and `gradients`.
        pub parameter_stride: u32,
        /// Where what is shared begins.
        pub offset: u32,
        /// 1: the columns are multiplied.
        pub input_adapter: u32,
        /// 1: the rows are multiplied.
        pub output_adapter: u32,
        /// Where the factors of the columns begin, where there are any.
        pub input_adapter_offset: u32,
        /// Where the factors of the rows begin, where there are any.
        pub output_adapter_offset: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
    }
}

impl ShareGradients {
    /// Adds a head's gradient of some rows of what is shared, from the row `first` on, to their sums.
    /// `parameters` and `gradients` are its own arenas.
    pub fn add<R: Real>(&self, parameters: &[R], gradients: &[R], first: usize, sums: &mut [R]) {
        let columns = self.columns as usize;
        let own = &gradients[self.offset as usize + first * columns..];
        let of_columns = match self.input_adapter {
            1 => Some(&parameters[self.input_adapter_offset as usize..][..columns]),
            _ => None,
        };
        let rows = sums.chunks_exact_mut(columns).zip(own.chunks_exact(columns));
        for (row, (sums, own)) in rows.enumerate() {
            let of_row = match self.output_adapter {
                1 => parameters[self.output_adapter_offset as usize + first + row],
                _ => R::one(),
            };
            let terms = sums.iter_mut().zip(own);
            match of_columns {
                Some(of_columns) => {
                    for ((sum, g), of_column) in terms.zip(of_columns) {
                        *sum += *g * of_row * *of_column;
                    }
                }
                None => terms.for_each(|(sum, g)| *sum += *g * of_row),
            }
        }
    }
}

/// The call of one network, whose first head is the step's member. `stopped` tells which of its heads
/// have: where some have, there is no gradient for the others either.
pub fn share_gradients<R: Real>(
    call: &ShareGradients,
    step: &Step<R>,
    stopped: &[bool],
    parameters: &[R],
    gradients: &mut [R],
) {
    let count = stopped.iter().filter(|stopped| **stopped).count();
    if count == stopped.len() || count == 0 && step.settings.updates == 0 {
        return;
    }
    let stride = call.parameter_stride as usize;
    let mut sums = vec![R::zero(); call.length as usize];
    let arenas = step.member * stride..(step.member + stopped.len()) * stride;
    let (parameters, gradients) = (&parameters[arenas.clone()], &mut gradients[arenas]);
    let heads = || parameters.chunks_exact(stride).zip(gradients.chunks_exact(stride));
    if count > 0 {
        sums.fill(R::nan());
    } else {
        heads().for_each(|(parameters, own)| call.add(parameters, own, 0, &mut sums));
    }
    for own in gradients.chunks_exact_mut(stride) {
        own[call.offset as usize..][..sums.len()].copy_from_slice(&sums);
    }
}
