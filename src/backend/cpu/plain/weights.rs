//! A member's weights as a plain step holds them: cut into pieces, each with its moments, that
//! threads update without a word to each other.

use pulp::{Simd, WithSimd};

use super::rows::{RowBlock, Rows};
use super::tile::{PAIRS, PANEL, Pairs, Row, columns_by_panel, panels};
use super::{Layer, PlainStep};
use crate::backend::cpu::arena::step_slice;
use crate::backend::cpu::memory::Member;
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::optimizer_step::BLOCK_SETTINGS;
use crate::program::StepSettings;

/// Panels of inputs that a piece has at most: its weights, 16 KB, then stay in the first-level cache,
/// which the rows that they are multiplied with pass through.
pub(super) const PIECE_PANELS: usize = 4;
const _: () = assert!(PIECE_PANELS <= PAIRS);

/// Pieces that a layer is cut into, where it has so many panels.
pub(super) const PIECES: usize = 16;

/// Rows of a batch that a gradient is summed over at a time, or those of one block: a panel of both operands,
/// 16 KB each, stays in the first-level cache.
const DEPTH: usize = 128;

/// A panel of units by some inputs.
#[derive(Debug)]
pub(super) struct Piece {
    pub layer: usize,
    panel: usize,
    /// Units of the panel.
    pub units: usize,
    /// Its inputs, from a panel's first on.
    pub first_input: usize,
    pub inputs: usize,
    /// A row of units for each input, and the biases behind those where the piece has them.
    pub weights: Vec<Row>,
    moments: [Vec<Row>; 3],
    /// For each panel of inputs a row of inputs for each unit; empty in the first layer.
    pub transposed: Vec<Row>,
    /// The first parameter of the last step that was not finite.
    pub bad: Option<usize>,
}

/// All pieces of a member: by layer, by inputs, by panel of units.
#[derive(Debug)]
pub(in crate::backend::cpu) struct Weights {
    pub(super) pieces: Vec<Piece>,
    /// The settings of each layer's weights, and of its biases.
    pub(super) settings: Vec<[[f32; BLOCK_SETTINGS]; 2]>,
}

impl Piece {
    fn has_biases(&self) -> bool {
        self.first_input == 0
    }

    /// The biases of its units, where it has them.
    pub fn biases(&self) -> &Row {
        &self.weights[self.inputs]
    }

    /// Hands `each` the places of its parameters: in the arena, its row, its column.
    fn places(&self, layer: &Layer, mut each: impl FnMut(usize, usize, usize)) {
        for unit in 0..self.units {
            let of_layer = self.panel * PANEL + unit;
            let first = layer.weight_offset + of_layer * layer.inputs + self.first_input;
            (0..self.inputs).for_each(|input| each(first + input, input, unit));
            if self.has_biases() {
                each(layer.bias_offset + of_layer, self.inputs, unit);
            }
        }
    }

    fn transpose(&mut self, inputs: std::ops::Range<usize>) {
        if self.transposed.is_empty() {
            return;
        }
        let first = inputs.start;
        let (from, to) = (&self.weights[inputs], &mut self.transposed[first..first + PANEL]);
        for (unit, to) in to.iter_mut().enumerate() {
            for (to, from) in to.iter_mut().zip(from) {
                *to = from[unit];
            }
        }
    }
}

impl Weights {
    /// The pieces of a plain step, without contents.
    pub fn new(step: &PlainStep) -> Self {
        let kept = step.optimizer.moments.map(|moment| moment.is_some());
        let mut pieces = Vec::new();
        for (index, layer) in step.layers.iter().enumerate() {
            // Neighbours share inputs, which then stay in a thread's cache.
            for chunk in 0..layer.chunks {
                for panel in 0..panels(layer.units) {
                    let first_input = chunk * layer.chunk_panels * PANEL;
                    let inputs = (layer.inputs - first_input).min(layer.chunk_panels * PANEL);
                    let rows = inputs + usize::from(chunk == 0);
                    let zeros = |rows: usize| vec![[0.0; PANEL]; rows];
                    pieces.push(Piece {
                        layer: index,
                        panel,
                        units: (layer.units - panel * PANEL).min(PANEL),
                        first_input,
                        inputs,
                        weights: zeros(rows),
                        moments: kept.map(|kept| zeros(if kept { rows } else { 0 })),
                        transposed: zeros(if index == 0 { 0 } else { panels(inputs) * PANEL }),
                        bad: None,
                    });
                }
            }
        }
        Self { pieces, settings: vec![[[0.0; BLOCK_SETTINGS]; 2]; step.layers.len()] }
    }

    /// Takes a member's parameters and moments; false when a tensor's blocks differ in settings.
    pub fn load(&mut self, step: &PlainStep, member: &Member) -> bool {
        let blocks = member.reals[step.optimizer.block_settings].as_chunks::<BLOCK_SETTINGS>().0;
        for (layer, settings) in step.layers.iter().zip(&mut self.settings) {
            let tensors = [
                (layer.weight_offset, layer.units * layer.inputs),
                (layer.bias_offset, layer.units),
            ];
            for ((offset, length), settings) in tensors.into_iter().zip(settings) {
                let blocks = &blocks[offset / BLOCK..(offset + length).div_ceil(BLOCK)];
                *settings = blocks[0];
                if blocks.iter().any(|block| block != settings) {
                    return false;
                }
            }
        }
        let arena = &member.reals[step.optimizer.parameters];
        for piece in &mut self.pieces {
            let layer = &step.layers[piece.layer];
            let mut weights = std::mem::take(&mut piece.weights);
            piece.places(layer, |at, row, column| weights[row][column] = arena[at]);
            piece.weights = weights;
            for (index, id) in step.optimizer.moments.iter().enumerate() {
                let Some(id) = id else { continue };
                let arena = &member.reals[*id];
                let mut moments = std::mem::take(&mut piece.moments[index]);
                piece.places(layer, |at, row, column| moments[row][column] = arena[at]);
                piece.moments[index] = moments;
            }
            for first in (0..piece.inputs).step_by(PANEL) {
                piece.transpose(first..(first + PANEL).min(piece.inputs));
            }
        }
        true
    }

    /// Puts parameters and moments back into the member's arenas.
    pub fn store(&self, step: &PlainStep, member: &mut Member) {
        for piece in &self.pieces {
            let layer = &step.layers[piece.layer];
            let arena = &mut member.reals[step.optimizer.parameters];
            piece.places(layer, |at, row, column| arena[at] = piece.weights[row][column]);
            for (moments, id) in piece.moments.iter().zip(step.optimizer.moments) {
                let Some(id) = id else { continue };
                let arena = &mut member.reals[id];
                piece.places(layer, |at, row, column| arena[at] = moments[row][column]);
            }
        }
    }
}

/// A piece's part of the backward pass: its gradient over the whole batch, and at once the optimizer's
/// step, panel by panel while both are in the cache.
pub(super) struct Update<'a> {
    pub piece: &'a mut Piece,
    pub step: &'a PlainStep,
    pub rows: &'a Rows,
    pub settings: &'a StepSettings<f32>,
    /// The settings of the layer's weights and of its biases.
    pub own: &'a [[f32; BLOCK_SETTINGS]; 2],
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (index, panel, units) = (self.piece.layer, self.piece.panel, self.piece.units);
        let stride = self.rows.stride;
        let groups = || self.rows.in_use().chunks((DEPTH / stride).clamp(1, PAIRS)).enumerate();
        self.piece.bad = None;
        let mut gradient = [[0.0; PANEL]; PANEL];
        for first in (0..self.piece.inputs).step_by(PANEL) {
            let count = (self.piece.inputs - first).min(PANEL);
            let below = (self.piece.first_input + first) / PANEL;
            for (group, blocks) in groups() {
                let operands = Pairs::of(blocks.iter().map(|block: &RowBlock| {
                    (block.below(index, below, stride), block.delta(index, panel, stride))
                }));
                columns_by_panel(simd, &operands, &mut gradient, [count, units], group > 0);
            }
            self.take_step(first..first + count, &mut gradient[..count], 0);
            self.piece.transpose(first..first + count);
        }
        if self.piece.has_biases() {
            let mut sums = [0.0; PANEL];
            for block in self.rows.in_use() {
                for delta in block.delta(index, panel, stride) {
                    for (sum, d) in sums.iter_mut().zip(delta) {
                        *sum += d;
                    }
                }
            }
            let row = self.piece.inputs;
            self.take_step(row..row + 1, &mut [sums], 1);
        }
    }
}

impl Update<'_> {
    /// The optimizer's step over some rows of the piece, by the settings of weights (0) or biases (1).
    fn take_step(&mut self, rows: std::ops::Range<usize>, gradient: &mut [Row], kind: usize) {
        let piece = &mut *self.piece;
        let weights = piece.weights[rows.clone()].as_flattened_mut();
        let moments = piece.moments.each_mut().map(|moment| {
            moment.get_mut(rows.clone()).map_or(&mut [][..], |rows| rows.as_flattened_mut())
        });
        let finite = step_slice(
            weights,
            gradient.as_flattened_mut(),
            moments,
            &self.own[kind],
            &self.step.optimizer,
            self.settings,
        );
        if !finite {
            self.find_bad(rows.start, gradient);
        }
    }

    /// The first parameter of the arena whose gradient or weight is not finite; columns beyond the
    /// units do not count.
    #[cold]
    fn find_bad(&mut self, first: usize, gradient: &[Row]) {
        let piece = &*self.piece;
        let mut bad = piece.bad;
        piece.places(&self.step.layers[piece.layer], |at, row, column| {
            let Some(gradient) = row.checked_sub(first).and_then(|row| gradient.get(row)) else {
                return;
            };
            if !gradient[column].is_finite() || !piece.weights[row][column].is_finite() {
                bad = Some(bad.map_or(at, |known| known.min(at)));
            }
        });
        self.piece.bad = bad;
    }
}
