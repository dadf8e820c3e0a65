//! The rows of a batch in a plain step: blocks that threads take through all layers and back, without
//! a word to each other.

use pulp::{Simd, WithSimd};

use super::super::dropout::{Masked, Place, drop_elements, mask_gradient};
use super::super::layers::parameters_of;
use super::PlainStep;
use super::tile::{PANEL, Pairs, Row, TILE, panels, rows_by_panel};
use super::weights::{PIECE_PANELS, Piece};
use crate::kernels::loss::LossFunctions;
use crate::program::{LayerSettings, StepSettings};

/// Rows of a block: from the fewest that make good use of the weights they are multiplied with, to the
/// most of which [`PIECE_PANELS`] panels, 48 KB, stay in the second-level cache beside what passes by. With
/// more, a thread that is late with its last block is waited for too long.
const BLOCK_ROWS: std::ops::RangeInclusive<usize> = 16..=96;

/// Blocks that a thread has, where there are rows enough: others take over what it is late with.
const BLOCKS_A_THREAD: usize = 2;

/// What one layer makes of a block.
#[derive(Debug)]
struct BlockLayer {
    outputs: Vec<Row>,
    /// What the activation was given; empty unless its derivative needs it.
    kept: Vec<Row>,
    delta: Vec<Row>,
}

/// Some rows of the batch, in panels.
#[derive(Debug)]
pub(super) struct RowBlock {
    first: usize,
    rows: usize,
    inputs: Vec<Row>,
    layers: Vec<BlockLayer>,
    /// Loss and terms of each row.
    statistics: Vec<f32>,
    /// One row's outputs and gradient.
    row: [Vec<f32>; 2],
    /// Whether a loss was not finite.
    bad: bool,
}

/// All rows of a batch.
#[derive(Debug)]
pub(in crate::backend::cpu) struct Rows {
    /// Rows of a block, and from one of its panels to the next.
    pub(super) stride: usize,
    pub(super) blocks: Vec<RowBlock>,
    used: usize,
}

impl Rows {
    /// Room for batches of so many rows, cut for so many threads.
    pub fn new(step: &PlainStep, batch: usize, threads: usize) -> Self {
        let blocks = if threads == 1 { 1 } else { threads * BLOCKS_A_THREAD };
        let share = batch.div_ceil(blocks);
        let stride = share.clamp(*BLOCK_ROWS.start(), *BLOCK_ROWS.end()).next_multiple_of(TILE);
        let zeros = |columns: usize| vec![[0.0; PANEL]; panels(columns) * stride];
        let outputs = step.layers.last().map_or(0, |layer| layer.units);
        let blocks = (0..batch.div_ceil(stride)).map(|block| RowBlock {
            first: block * stride,
            rows: 0,
            inputs: zeros(step.layers[0].inputs),
            layers: step
                .layers
                .iter()
                .map(|layer| BlockLayer {
                    outputs: zeros(layer.units),
                    kept: zeros(if layer.keeps_input { layer.units } else { 0 }),
                    delta: zeros(layer.units),
                })
                .collect(),
            statistics: vec![0.0; stride * step.statistics()],
            row: [vec![0.0; outputs], vec![0.0; outputs]],
            bad: false,
        });
        Self { stride, blocks: blocks.collect(), used: 0 }
    }

    /// Makes ready for a batch of so many rows.
    pub fn begin(&mut self, rows: usize) {
        self.used = rows.div_ceil(self.stride).min(self.blocks.len());
        for block in &mut self.blocks[..self.used] {
            block.rows = (rows - block.first).min(self.stride);
            block.bad = false;
        }
    }

    /// The blocks of the batch.
    pub fn in_use(&self) -> &[RowBlock] {
        &self.blocks[..self.used]
    }

    /// The blocks of the batch, to be worked on.
    pub fn in_use_mut(&mut self) -> &mut [RowBlock] {
        &mut self.blocks[..self.used]
    }

    /// Whether a row's loss was not finite.
    pub fn is_bad(&self) -> bool {
        self.in_use().iter().any(|block| block.bad)
    }

    /// The sum of one of the row statistics, in the order of the rows.
    pub fn sum(&self, statistic: usize, width: usize) -> f32 {
        let mut sum = 0.0;
        for block in self.in_use() {
            let of_rows = &block.statistics[..block.rows * width];
            sum +=
                of_rows.iter().skip(statistic).step_by(width).map(|s| f64::from(*s)).sum::<f64>();
        }
        sum as f32
    }

    /// Copies the outputs of every row.
    pub fn collect(&self, outputs: usize, to: &mut [f32]) {
        for block in self.in_use() {
            for row in 0..block.rows {
                let at = (block.first + row) * outputs;
                block.outputs(row, self.stride, &mut to[at..at + outputs]);
            }
        }
    }
}

impl RowBlock {
    /// A panel of what a layer is given.
    #[inline(always)]
    pub fn below(&self, layer: usize, panel: usize, stride: usize) -> &[Row] {
        let panels = if layer == 0 { &self.inputs } else { &self.layers[layer - 1].outputs };
        &panels[panel * stride..][..self.rows]
    }

    /// A panel of the gradient by what a layer's matrix product gives.
    #[inline(always)]
    pub fn delta(&self, layer: usize, panel: usize, stride: usize) -> &[Row] {
        &self.layers[layer].delta[panel * stride..][..self.rows]
    }

    /// A row of the network's outputs.
    fn outputs(&self, row: usize, stride: usize, to: &mut [f32]) {
        let Some(layer) = self.layers.last() else { return };
        for (panel, to) in to.chunks_mut(PANEL).enumerate() {
            to.copy_from_slice(&layer.outputs[panel * stride + row][..to.len()]);
        }
    }
}

/// A block's way through all layers, to the loss, and back to the first layer's delta.
pub(super) struct Propagate<'a> {
    pub block: &'a mut RowBlock,
    pub stride: usize,
    pub step: &'a PlainStep,
    pub pieces: &'a [Piece],
    /// The member's rows of the layer table.
    pub layers: &'a [LayerSettings],
    pub settings: &'a StepSettings<f32>,
    /// The data set, and which of its rows make the batch.
    pub features: &'a [f32],
    pub targets: &'a [f32],
    pub order: &'a [u32],
}

impl WithSimd for Propagate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.gather();
        for layer in 0..self.step.layers.len() {
            self.forward(simd, layer);
        }
        self.loss();
        for layer in (1..self.step.layers.len()).rev() {
            self.backward(simd, layer);
        }
    }
}

impl Propagate<'_> {
    fn order(&self) -> &[u32] {
        &self.order[self.block.first..self.block.first + self.block.rows]
    }

    #[inline(always)]
    fn gather(&mut self) {
        let inputs = self.step.layers[0].inputs;
        let order = &self.order[self.block.first..self.block.first + self.block.rows];
        for (r, row) in order.iter().enumerate() {
            let row = &self.features[*row as usize * inputs..][..inputs];
            let (whole, rest) = row.as_chunks::<PANEL>();
            for (panel, from) in whole.iter().enumerate() {
                self.block.inputs[panel * self.stride + r] = *from;
            }
            if !rest.is_empty() {
                self.block.inputs[whole.len() * self.stride + r][..rest.len()]
                    .copy_from_slice(rest);
            }
        }
    }

    /// `outputs = dropout(act(below W^T + bias))`: all units by some of the inputs, and then by the next,
    /// so that these stay in the cache.
    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S, index: usize) {
        let layer = &self.step.layers[index];
        let (rows, stride) = (self.block.rows, self.stride);
        let count = panels(layer.units);
        let together = (PIECE_PANELS / layer.chunk_panels).max(1);
        let pieces = &self.pieces[layer.first_piece..];
        let products = layer.chunks.div_ceil(together) * count;
        for product in 0..products {
            let (lower, upper) = self.block.layers.split_at_mut(index);
            let below = lower.last().map_or(&self.block.inputs, |layer| &layer.outputs);
            let chunks_of = |product: usize| {
                let first = product / count * together;
                first..layer.chunks.min(first + together)
            };
            let operands_of = |product: usize| {
                Pairs::of(chunks_of(product).flat_map(|chunk| {
                    let piece = &pieces[chunk * count + product % count];
                    let below = &below[piece.first_input / PANEL * stride..];
                    let weights = piece.weights[..piece.inputs].chunks(PANEL).enumerate();
                    weights.map(move |(panel, w)| (&below[panel * stride..][..rows], w))
                }))
            };
            let (chunks, panel) = (chunks_of(product), product % count);
            let z = &mut upper[0].outputs[panel * stride..];
            let (z, next_z) = z.split_at_mut(stride);
            let next = (layer.is_fetched() && product + 1 < products)
                .then(|| (operands_of(product + 1), next_z.get(..rows).unwrap_or_default()));
            let (operands, units) = (operands_of(product), pieces[panel].units);
            rows_by_panel(simd, &operands, &mut z[..rows], units, chunks.start > 0, &next);
            if chunks.end == layer.chunks {
                self.activate(index, panel);
            }
        }
    }

    /// Makes the outputs of a panel of units out of its products.
    #[inline(always)]
    fn activate(&mut self, index: usize, panel: usize) {
        let layer = &self.step.layers[index];
        let piece = &self.pieces[layer.first_piece + panel];
        let at = panel * self.stride;
        let own = &mut self.block.layers[index];
        let z = &mut own.outputs[at..at + self.block.rows];
        let biases = *piece.biases();
        for z in &mut *z {
            for (z, bias) in z.iter_mut().zip(&biases) {
                *z += bias;
            }
        }
        if layer.keeps_input {
            own.kept[at..at + self.block.rows].copy_from_slice(z);
        }
        (layer.activation.act_slice)(z.as_flattened_mut(), layer.parameters);
        let settings = &self.layers[layer.row];
        if layer.drops && settings.drop_below != 0 {
            let first = self.block.first * layer.units + panel * PANEL;
            for (row, z) in z.iter_mut().enumerate() {
                let first = first + row * layer.units;
                let place = Place { layer: settings, batch: self.settings.batch, first };
                drop_elements(z, place);
            }
        }
        if piece.units < PANEL {
            // Weights beyond the units stay 0 when what they are multiplied with is.
            z.iter_mut().for_each(|z| z[piece.units..].fill(0.0));
        }
    }

    /// The loss of each row, its gradient and the terms.
    fn loss(&mut self) {
        let call = &self.step.loss.call;
        let (outputs, width) = (call.outputs as usize, call.targets as usize);
        let statistics = call.statistics as usize;
        let functions = LossFunctions {
            row_loss: self.step.loss.settings.row.single,
            parameters: parameters_of(call, self.settings),
            exponential: self.step.loss.settings.predicts_exponentials(),
            terms: &self.step.loss.terms,
        };
        let [mut logits, mut gradient] = std::mem::take(&mut self.block.row);
        let mut of_rows = std::mem::take(&mut self.block.statistics);
        for (row, of_row) in of_rows.chunks_mut(statistics).take(self.block.rows).enumerate() {
            self.block.outputs(row, self.stride, &mut logits);
            let place = self.order()[row] as usize * call.target_stride as usize;
            let targets = &self.targets[place..place + width];
            let weight = if call.weighted == 1 { self.targets[place + width] } else { 1.0 };
            let share = self.settings.share;
            let value = functions.row(&logits, targets, weight, share, &mut gradient, of_row);
            self.block.bad |= !value.is_finite();
            if let Some(layer) = self.block.layers.last_mut() {
                for (panel, from) in gradient.chunks(PANEL).enumerate() {
                    layer.delta[panel * self.stride + row][..from.len()].copy_from_slice(from);
                }
            }
        }
        debug_assert_eq!(logits.len(), outputs);
        self.block.statistics = of_rows;
        self.block.row = [logits, gradient];
    }

    /// `delta of the layer below = (delta W) * dropout mask * act'(below)`: all inputs by some of the units,
    /// and then by the next.
    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S, index: usize) {
        let layer = &self.step.layers[index];
        let (rows, stride) = (self.block.rows, self.stride);
        let (above, count) = (panels(layer.units), panels(layer.inputs));
        let pieces = &self.pieces[layer.first_piece..];
        let products = above.div_ceil(PIECE_PANELS) * count;
        for product in 0..products {
            let (lower, upper) = self.block.layers.split_at_mut(index);
            let (Some(below), delta) = (lower.last_mut(), &upper[0].delta) else { return };
            let group_of = |product: usize| {
                let first = product / count * PIECE_PANELS;
                first..above.min(first + PIECE_PANELS)
            };
            let operands_of = |product: usize| {
                let panel = product % count;
                let (chunk, within) = (panel / layer.chunk_panels, panel % layer.chunk_panels);
                Pairs::of(group_of(product).map(|panel| {
                    let piece = &pieces[chunk * above + panel];
                    let weights = &piece.transposed[within * PANEL..][..piece.units];
                    (&delta[panel * stride..][..rows], weights)
                }))
            };
            let (group, panel) = (group_of(product), product % count);
            let (d, next_d) = below.delta[panel * stride..].split_at_mut(stride);
            let next = (layer.is_fetched() && product + 1 < products)
                .then(|| (operands_of(product + 1), next_d.get(..rows).unwrap_or_default()));
            let columns = (layer.inputs - panel * PANEL).min(PANEL);
            let operands = operands_of(product);
            rows_by_panel(simd, &operands, &mut d[..rows], columns, group.start > 0, &next);
            if group.end == above {
                self.derive(index - 1, panel);
            }
        }
    }

    /// Multiplies the gradient by a panel of a layer's outputs by what the layer does to its products.
    #[inline(always)]
    fn derive(&mut self, index: usize, panel: usize) {
        let layer = &self.step.layers[index];
        let at = panel * self.stride;
        let in_use = at..at + self.block.rows;
        let own = &mut self.block.layers[index];
        let (d, y) = (&mut own.delta[in_use.clone()], &own.outputs[in_use.clone()]);
        let x = if layer.keeps_input { &own.kept[in_use] } else { &[] };
        let (settings, p) = (&self.layers[layer.row], layer.parameters);
        if settings.drop_below == 0 {
            let act_grad = layer.activation.act_grad_slice;
            act_grad(d.as_flattened_mut(), x.as_flattened(), y.as_flattened(), p);
            return;
        }
        let first = self.block.first * layer.units + panel * PANEL;
        for (row, (d, y)) in d.iter_mut().zip(y).enumerate() {
            let x = x.get(row).map_or(&[][..], |x| x.as_slice());
            let masked = Masked { activation: &layer.activation, parameters: p, d, x, y };
            let first = first + row * layer.units;
            mask_gradient(masked, Place { layer: settings, batch: self.settings.batch, first });
        }
    }
}
