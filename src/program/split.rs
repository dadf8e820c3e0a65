//! The split form of a fused step's end, for large batches of layers that are few tiles: one call
//! makes the gradients of each part of the batch, and the optimizer's step sums them in the parts'
//! order. With the L forward calls, the loss and L - 1 input gradients a step is 2L + 2 calls.

use super::builder::{Builder, PassBuffers, word};
use super::fused::Arenas;
use super::plan::{Pass, PlanRequest};
use super::{Call, Precision, Variants};
use crate::error::Result;
use crate::kernels::partial_gradients::PartialGradients;
use crate::kernels::update::MOST_LAYERS;
use crate::kernels::{Kernel, Parameters};

/// Rows of a batch that is worth splitting.
const LEAST_ROWS: usize = 2048;

/// Rows of a part, at least: fewer cost more to write and to sum than they save.
const LEAST_PART: usize = 512;

/// Most parts.
const MOST_PARTS: usize = 16;

/// Tiles of a step, the members' and the parts' counted, that keep a large GPU busy.
const TILES: usize = 256;

/// Rows and columns of the tiles that are counted: the smallest that a GPU has.
const TILE: usize = 32;

/// How the batches of a training pass are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split {
    /// Parts of the largest batch, 2 or more.
    pub parts: usize,
    /// Rows of each part, a multiple of 4; the last that has any may have fewer.
    pub rows: usize,
}

impl Split {
    /// How the steps of a fused request are split, from its shapes alone: it is the order in which
    /// gradients are summed. None where they are not worth it. As the tiles of all parts are at most
    /// [`TILES`] tiles of [`TILE`] x [`TILE`] weights, so is the room that their gradients take.
    pub fn of(request: &PlanRequest) -> Option<Self> {
        let network = request.network;
        let training = request.passes.iter().filter(|pass| pass.training());
        let rows = training.map(|pass| pass.batch_rows).max()?;
        let layers = network.layers.iter();
        let tiles: usize =
            layers.map(|layer| layer.units.div_ceil(TILE) * layer.inputs.div_ceil(TILE)).sum();
        // Gradients of f16 plans are scaled, and unscaled where the update sums them.
        let splits = request.splits && request.precision == Precision::F32;
        let wanted = TILES / tiles.saturating_mul(network.members).max(1);
        let parts = wanted.min(rows / LEAST_PART).min(MOST_PARTS);
        if !splits || rows < LEAST_ROWS || parts < 2 {
            return None;
        }
        let part = rows.div_ceil(parts).next_multiple_of(4);
        Some(Self { parts: rows.div_ceil(part), rows: part })
    }
}

impl Builder<'_> {
    /// The calls that end a step: one for each [`MOST_LAYERS`] layers, the optimizer's, and what
    /// follows it.
    pub(super) fn split_update(
        &self,
        split: Split,
        arenas: &Arenas,
        pass: &Pass,
        buffers: &PassBuffers,
    ) -> Result<Vec<Call>> {
        let Some(update) = &self.request.update else { return Ok(Vec::new()) };
        let network = self.request.network;
        let layers: Vec<usize> = (0..network.layers.len()).collect();
        let mut calls = Vec::new();
        for chunk in layers.chunks(MOST_LAYERS) {
            let mut bindings = self.tables(buffers).to_vec();
            bindings.extend(self.update_operands(arenas, buffers));
            bindings.push(("partial_gradients", self.plan.buffer("partial_gradients")?));
            calls.push(Call {
                kernel: Kernel::PartialGradients,
                subject: format!("{} parts of {} rows", split.parts, split.rows),
                variants: Variants { gathered: true, ..Variants::default() },
                parameters: Parameters::PartialGradients(PartialGradients {
                    members: word("members", self.plan.members)?,
                    layers: word("layers", chunk.len())?,
                    batch_rows: word("rows", self.rows)?,
                    order_stride: word("rows", pass.resident_rows)?,
                    parameter_stride: word("parameters", network.stride)?,
                    finishes: u32::from(chunk.last() == layers.last()),
                    statistics: word("statistics", self.plan.statistics)?,
                    log_width: word("log", self.plan.log_width)?,
                    parts: word("parts", split.parts)?,
                    part_rows: word("rows", split.rows)?,
                    table: self.updated_layers(arenas, pass, chunk)?,
                    ..PartialGradients::default()
                }),
                bindings,
                extent: self.largest_extent(chunk)?,
            });
        }
        calls.push(self.optimizer_step(update, true, buffers)?);
        calls.extend(self.after_update(update, buffers)?);
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::activation::ActivationSettings;
    use crate::catalog::loss::{self, LossSettings};
    use crate::catalog::optimizer::{self, Convention, OptimizerForm};
    use crate::network::{LayerShape, Network};
    use crate::program::{PassKind, Plan, Precision, Update};

    fn network(members: usize, inputs: usize, hidden: &[usize], outputs: usize) -> Network {
        let shape = |units: &usize| LayerShape::new(*units, ActivationSettings::linear());
        let hidden: Vec<LayerShape> = hidden.iter().map(shape).collect();
        Network::new(members, inputs, &hidden, outputs).expect("a network")
    }

    fn request(network: &Network, rows: usize) -> PlanRequest<'_> {
        let sgd = optimizer::find("sgd").expect("an optimizer");
        let pass = |kind, batch_rows| Pass {
            name: "train".to_owned(),
            set: "train".to_owned(),
            kind,
            resident_rows: 20_000,
            batch_rows,
            table_steps: 2,
            weighted: false,
            collected_rows: 0,
        };
        PlanRequest {
            network,
            loss: LossSettings::new(loss::find("mse").expect("a loss"), Convention::Torch),
            terms: Vec::new(),
            target_width: network.outputs(),
            update: Some(Update::new(sgd, OptimizerForm::default())),
            gradient_statistics: false,
            fuses: true,
            splits: true,
            precision: Precision::F32,
            // An evaluation's batches are no step's.
            passes: vec![pass(PassKind::Train, rows), pass(PassKind::Evaluate, 10_000)],
        }
    }

    #[test]
    fn few_tiles_of_many_rows_are_split() {
        let split = |members, rows| {
            let network = network(members, 784, &[32], 10);
            Split::of(&request(&network, rows)).map(|split| (split.parts, split.rows))
        };
        // 26 tiles.
        assert_eq!(split(1, 4096), Some((8, 512)));
        assert_eq!(split(1, 2047), None);
        assert_eq!(split(1, 2048), Some((4, 512)));
        // The parts' rows are a multiple of four, and no part is without any.
        assert_eq!(split(1, 2051), Some((4, 516)));
        assert_eq!(split(1, 8191), Some((9, 912)));
        assert_eq!(split(4, 4096), Some((2, 2048)));
        assert_eq!(split(5, 4096), None);
        let small = network(1, 3, &[], 2);
        assert_eq!(Split::of(&request(&small, 20_000)), Some(Split { parts: 16, rows: 1252 }));
        let large = network(1, 512, &[512], 10);
        assert_eq!(Split::of(&request(&large, 4096)), None);
        let asked = PlanRequest { splits: false, ..request(&small, 20_000) };
        assert_eq!(Split::of(&asked), None);
        let asked = PlanRequest { precision: Precision::F16, ..request(&small, 20_000) };
        assert_eq!(Split::of(&asked), None);
    }

    #[test]
    fn every_part_of_the_largest_batch_has_rows() {
        let network = network(1, 3, &[], 2);
        for rows in LEAST_ROWS..LEAST_ROWS + 3000 {
            let split = Split::of(&request(&network, rows)).expect("it is split");
            assert!(split.rows.is_multiple_of(4) && split.rows >= LEAST_PART);
            assert!((split.parts - 1) * split.rows < rows && rows <= split.parts * split.rows);
        }
    }

    #[test]
    fn a_split_step_is_two_calls_a_layer_and_two() {
        for (hidden, more) in [(0, 0), (1, 0), (3, 0), (17, 1)] {
            let network = network(1, 3, &vec![4; hidden], 2);
            let plan = Plan::new(&request(&network, 2048)).expect("a plan");
            let calls = plan.programs[0].calls.len();
            assert_eq!(calls, 2 * (hidden + 1) + 2 + more, "{hidden} hidden layers");
            let partials = plan.buffer("partial_gradients").expect("a buffer");
            assert_eq!(plan.buffers[partials.0].words, 4 * network.stride as u64);
            assert!(plan.buffer("gradients").is_err());
        }
    }

    /// Nothing else of a plan hangs on it.
    #[test]
    fn a_plan_that_is_not_fused_is_not_split() {
        let network = network(1, 3, &[], 2);
        let asked = PlanRequest { gradient_statistics: true, ..request(&network, 2048) };
        let plan = Plan::new(&asked).expect("a plan");
        assert!(plan.buffer("gradients").is_ok() && plan.buffer("partial_gradients").is_err());
    }
}
