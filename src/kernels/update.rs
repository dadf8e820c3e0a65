//! What ends a fused step, in one call: the weight and bias gradients of several layers with the
//! optimizer's step on them, so that no gradient is stored; the sums of the step's log; and the
//! member's way to its next step. Twin of `shaders/update.wgsl`.

use super::finish_step::sum_statistics;
use super::optimizer_step::Parameter;
use super::{Real, Step};
use crate::catalog::optimizer::{OptStep, OptimizerForm};
use crate::program::{Half, MemberState, NONE};

/// Most layers of one call.
pub const MOST_LAYERS: usize = 16;

/// One layer of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct UpdatedLayer {
    /// Inputs.
    pub inputs: u32,
    /// Units.
    pub units: u32,
    /// Where the weights `[units, inputs]` begin in a member's arena.
    pub weight_offset: u32,
    /// Where the biases `[units]` begin.
    pub bias_offset: u32,
    /// Where the layer's input, `[members, rows, inputs]`, begins in its arena.
    pub input_offset: u32,
    /// Where the gradient by what its matrix product gives, `[members, rows, units]`, begins.
    pub delta_offset: u32,
    /// Which arena both lie in: 0 `even`, 1 `odd`, 2 `even` with an input of gathered rows.
    pub place: u32,
    /// Rows of the pass's batches, at most; for whoever weighs the call, not for the kernel.
    pub rows: u32,
}

/// [`UpdatedLayer::place`] of a layer whose input is the data set's.
pub const GATHERED: u32 = 2;

uniform! {
    /// The uniform of a call.
    pub struct Update {
        /// M.
        pub members: u32,
        /// Layers of the call.
        pub layers: u32,
        /// Rows between members in the operands: those of the largest batch of any pass.
        pub batch_rows: u32,
        /// Elements between members in `order`.
        pub order_stride: u32,
        /// Elements between members in `parameters`.
        pub parameter_stride: u32,
        /// 1: this call ends the step.
        pub finishes: u32,
        /// Values a row of `row_statistics`.
        pub statistics: u32,
        /// Values a step and member of `step_log`.
        pub log_width: u32,
        /// Biases of all layers, each layer's with what pads it to a multiple of four.
        pub biases: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
        /// Unused.
        pub spare2: u32,
        /// The layers.
        pub table: [UpdatedLayer; MOST_LAYERS],
    }
}

impl Update {
    /// The layers.
    pub fn layers(&self) -> &[UpdatedLayer] {
        &self.table[..self.layers as usize]
    }

    /// Rows of the pass's batches, at most.
    pub fn rows(&self) -> u32 {
        self.table[0].rows
    }

    /// Whether every row of every weight matrix begins at a multiple of four elements.
    pub fn has_quads(&self) -> bool {
        self.layers().iter().all(|layer| layer.inputs.is_multiple_of(4))
    }
}

/// The buffers that a call reads.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, R> {
    /// The data set.
    pub features: &'a [R],
    /// Inputs and gradients of layers 0, 2, ...
    pub even: &'a [R],
    /// Of layers 1, 3, ...
    pub odd: &'a [R],
    /// Settings of each block of parameters.
    pub block_settings: &'a [R],
    /// Loss and terms of each row.
    pub row_statistics: &'a [R],
}

/// One member's call.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn update<R: Real>(
    call: &Update,
    step: &Step<R>,
    opt_step: OptStep<R>,
    form: OptimizerForm,
    operands: &Operands<R>,
    parameters: &mut [R],
    moments: [&mut [R]; 3],
    step_log: &mut [R],
    state: &mut MemberState,
) {
    if !state.has_stopped(Half::Backward) {
        let arena = step.member * call.parameter_stride as usize;
        let mut stepped = Parameter {
            settings: &step.settings,
            opt_step,
            form,
            block_settings: operands.block_settings,
            penalties: true,
            parameters,
            moments,
        };
        for layer in call.layers() {
            let (inputs, units) = (layer.inputs as usize, layer.units as usize);
            let place = if layer.place == 1 { operands.odd } else { operands.even };
            let of_member = |offset: u32, width: usize| {
                offset as usize + step.member * call.batch_rows as usize * width
            };
            let delta = &place[of_member(layer.delta_offset, units)..];
            let input = |row: usize, column: usize| match layer.place {
                GATHERED => {
                    operands.features[step.input_row(call.order_stride, row) * inputs + column]
                }
                _ => place[of_member(layer.input_offset, inputs) + row * inputs + column],
            };
            for unit in 0..units {
                for column in 0..inputs {
                    let products =
                        (0..step.rows()).map(|k| delta[k * units + unit] * input(k, column));
                    let element = layer.weight_offset as usize + unit * inputs + column;
                    let sum: R = products.sum();
                    stepped.apply(arena, element, sum * step.unscale, state);
                }
            }
            // What pads the biases to a multiple of four is stepped with them; it stays 0.
            for unit in 0..units.next_multiple_of(4) {
                let rows = if unit < units { step.rows() } else { 0 };
                let sum: R = (0..rows).map(|k| delta[k * units + unit]).sum();
                let element = layer.bias_offset as usize + unit;
                stepped.apply(arena, element, sum * step.unscale, state);
            }
        }
    }
    if call.finishes == 1 {
        let statistics = call.statistics as usize;
        let first = step.member * call.batch_rows as usize * statistics;
        let log_at = (state.backward as usize * call.members as usize + step.member)
            * call.log_width as usize;
        let log = &mut step_log[log_at..log_at + statistics];
        sum_statistics(&operands.row_statistics[first..], step.rows(), log);
        if state.bad_step == NONE {
            state.cursor = state.backward + 1;
        }
    }
}
