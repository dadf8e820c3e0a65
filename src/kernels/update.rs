//! What ends a fused step, in one call: the weight and bias gradients of several layers with the
//! optimizer's step on them, so that no gradient is stored; the sums of the step's log; and the
//! member's way to its next step. Twin of `shaders/update.wgsl`.

use std::ops::Range;

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
    /// Loss and terms of each row.
    pub row_statistics: &'a [R],
}

impl<'a, R: Real> Operands<'a, R> {
    /// Those of one layer and of the step's member.
    pub(super) fn of(
        &self,
        layer: &'a UpdatedLayer,
        step: &'a Step<'a, R>,
        batch_rows: u32,
        order_stride: u32,
    ) -> LayerOperands<'a, R> {
        let place = if layer.place == 1 { self.odd } else { self.even };
        let of_member = |offset: u32, width: u32| {
            &place[offset as usize + step.member * batch_rows as usize * width as usize..]
        };
        LayerOperands {
            layer,
            step,
            order_stride,
            delta: of_member(layer.delta_offset, layer.units),
            input: match layer.place {
                GATHERED => self.features,
                _ => of_member(layer.input_offset, layer.inputs),
            },
        }
    }
}

/// What a layer's gradients are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerOperands<'a, R> {
    layer: &'a UpdatedLayer,
    step: &'a Step<'a, R>,
    order_stride: u32,
    delta: &'a [R],
    input: &'a [R],
}

impl<R: Real> LayerOperands<'_, R> {
    /// The gradient of a weight, of some rows of the batch.
    pub fn weight_gradient(&self, unit: usize, column: usize, rows: Range<usize>) -> R {
        let (inputs, units) = (self.layer.inputs as usize, self.layer.units as usize);
        let input_row = |row: usize| match self.layer.place {
            GATHERED => self.step.input_row(self.order_stride, row),
            _ => row,
        };
        let product = |row: usize| {
            self.delta[row * units + unit] * self.input[input_row(row) * inputs + column]
        };
        rows.map(product).sum()
    }

    /// The gradient of a bias, of some rows of the batch; 0 past the last unit.
    pub fn bias_gradient(&self, unit: usize, rows: Range<usize>) -> R {
        let units = self.layer.units as usize;
        let rows = if unit < units { rows } else { 0..0 };
        rows.map(|row| self.delta[row * units + unit]).sum()
    }
}

/// Sums the row statistics into the step's row of the log, and moves the member on. `widths` are
/// members, rows between them, values a row and values a step of the log.
pub(super) fn end_step<R: Real>(
    widths: [u32; 4],
    step: &Step<R>,
    row_statistics: &[R],
    step_log: &mut [R],
    state: &mut MemberState,
) {
    let [members, batch_rows, statistics, log_width] = widths.map(|width| width as usize);
    let first = step.member * batch_rows * statistics;
    let log_at = (state.backward as usize * members + step.member) * log_width;
    let log = &mut step_log[log_at..log_at + statistics];
    sum_statistics(&row_statistics[first..], step.rows(), log);
    if state.bad_step == NONE {
        state.cursor = state.backward + 1;
    }
}

/// One member's call.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn update<R: Real>(
    call: &Update,
    step: &Step<R>,
    opt_step: OptStep<R>,
    form: OptimizerForm,
    operands: &Operands<R>,
    block_settings: &[R],
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
            block_settings,
            penalties: true,
            parameters,
            moments,
        };
        for layer in call.layers() {
            let of = operands.of(layer, step, call.batch_rows, call.order_stride);
            let (inputs, units) = (layer.inputs as usize, layer.units as usize);
            for unit in 0..units {
                for column in 0..inputs {
                    let element = layer.weight_offset as usize + unit * inputs + column;
                    let gradient = of.weight_gradient(unit, column, 0..step.rows());
                    stepped.apply(arena, element, gradient * step.unscale, state);
                }
            }
            // What pads the biases to a multiple of four is stepped with them; it stays 0.
            for unit in 0..units.next_multiple_of(4) {
                let element = layer.bias_offset as usize + unit;
                let gradient = of.bias_gradient(unit, 0..step.rows());
                stepped.apply(arena, element, gradient * step.unscale, state);
            }
        }
    }
    if call.finishes == 1 {
        let widths = [call.members, call.batch_rows, call.statistics, call.log_width];
        end_step(widths, step, operands.row_statistics, step_log, state);
    }
}
