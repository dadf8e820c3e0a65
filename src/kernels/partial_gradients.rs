//! The weight and bias gradients of several layers, of each part of the batch by itself: what
//! `optimizer_step` sums before its step, where a batch is large and its layers are few tiles. Ends
//! the step as `update` does. Twin of `shaders/partial_gradients.wgsl`.

use super::update::{MOST_LAYERS, Operands, UpdatedLayer, end_step};
use super::{Real, Step};
use crate::program::{Half, MemberState};

uniform! {
    /// The uniform of a call.
    pub struct PartialGradients {
        /// M.
        pub members: u32,
        /// Layers of the call.
        pub layers: u32,
        /// Rows between members in the operands: those of the largest batch of any pass.
        pub batch_rows: u32,
        /// Elements between members in `order`.
        pub order_stride: u32,
        /// Elements between members, and M times that between parts, in `partial_gradients`.
        pub parameter_stride: u32,
        /// 1: this call ends the step.
        pub finishes: u32,
        /// Values a row of `row_statistics`.
        pub statistics: u32,
        /// Values a step and member of `step_log`.
        pub log_width: u32,
        /// Parts of the largest batch.
        pub parts: u32,
        /// Rows of each part, a multiple of 4; the last that has any may have fewer.
        pub part_rows: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
        /// The layers.
        pub table: [UpdatedLayer; MOST_LAYERS],
    }
}

impl PartialGradients {
    /// The layers.
    pub fn layers(&self) -> &[UpdatedLayer] {
        &self.table[..self.layers as usize]
    }
}

/// One member's call. What belongs to a part without rows is left as it is.
pub fn partial_gradients<R: Real>(
    call: &PartialGradients,
    step: &Step<R>,
    operands: &Operands<R>,
    partial_gradients: &mut [R],
    step_log: &mut [R],
    state: &mut MemberState,
) {
    if !state.has_stopped(Half::Backward) {
        let starts = (0..step.rows()).step_by(call.part_rows as usize);
        for (part, start) in starts.enumerate() {
            let rows = start..(start + call.part_rows as usize).min(step.rows());
            let first =
                (part * call.members as usize + step.member) * call.parameter_stride as usize;
            let own = &mut partial_gradients[first..first + call.parameter_stride as usize];
            for layer in call.layers() {
                let of = operands.of(layer, step, call.batch_rows, call.order_stride);
                for unit in 0..layer.units as usize {
                    for column in 0..layer.inputs as usize {
                        let element = unit * layer.inputs as usize + column;
                        own[layer.weight_offset as usize + element] =
                            of.weight_gradient(unit, column, rows.clone());
                    }
                }
                // What pads the biases to a multiple of four is written with them.
                for unit in 0..layer.units.next_multiple_of(4) as usize {
                    own[layer.bias_offset as usize + unit] = of.bias_gradient(unit, rows.clone());
                }
            }
        }
    }
    if call.finishes == 1 {
        let widths = [call.members, call.batch_rows, call.statistics, call.log_width];
        end_step(widths, step, operands.row_statistics, step_log, state);
    }
}
