//! The fused form of a training step: the weight gradients of all layers, the optimizer's step on
//! them and the end of the step are one call, and no gradient is stored. With the L forward calls,
//! the loss and L - 1 input gradients a step is 2L + 1 calls. `split` has another end for large
//! batches.

use super::builder::{Builder, PassBuffers, word};
use super::plan::{Pass, Plan, PlanRequest};
use super::{BufferId, Call, Precision, Variants};
use crate::error::Result;
use crate::kernels::update::{GATHERED, MOST_LAYERS, Update, UpdatedLayer};
use crate::kernels::{Kernel, Parameters};
use crate::network::Network;

/// Bytes that a part of a buffer begins at a multiple of, which every adapter allows.
const ALIGNMENT: usize = 256;

/// Whether a request's training step can be fused: nothing needs the whole gradient, each layer is
/// its matrix product, no table stands before the first, and members share nothing.
pub(super) fn fuses(request: &PlanRequest) -> bool {
    let steps_at_once = request
        .update
        .is_some_and(|update| update.clip.is_none() && update.orthogonalization.is_none());
    let layers = &request.network.layers;
    request.fuses
        && request.network.embeddings.is_empty()
        && request.network.heads == 1
        && steps_at_once
        && !request.gradient_statistics
        && layers.iter().all(|layer| !layer.apart && layer.shape.normalization.is_none())
}

/// Two buffers that hold what the layers read and write. A layer's input and gradient lie in one
/// of them, its output and the gradient of the layer below in the other: so one call can read the
/// operands of every layer, and none reads the buffer that it writes.
pub(super) struct Arenas {
    even: BufferId,
    odd: BufferId,
    activations: Vec<u64>,
    deltas: Vec<u64>,
}

impl Arenas {
    /// Lays out the activations and gradients of batches of up to `rows` rows.
    pub fn new(
        plan: &mut Plan,
        network: &Network,
        rows: usize,
        precision: Precision,
    ) -> Result<Self> {
        let alignment = ALIGNMENT / precision.bytes();
        let mut ends = [0_usize; 2];
        let (mut activations, mut deltas) = (Vec::new(), Vec::new());
        for (i, layer) in network.layers.iter().enumerate() {
            let values = (network.members * rows * layer.units).next_multiple_of(alignment);
            for (places, arena) in [(&mut deltas, i % 2), (&mut activations, (i + 1) % 2)] {
                places.push(ends[arena] as u64);
                ends[arena] += values;
                word("the activations of all layers", ends[arena])?;
            }
        }
        let [even, odd] = [("even", ends[0]), ("odd", ends[1])]
            .map(|(name, values)| plan.add_stored(name, precision, values, None));
        Ok(Self { even, odd, activations, deltas })
    }

    fn of(&self, parity: usize) -> BufferId {
        if parity.is_multiple_of(2) { self.even } else { self.odd }
    }

    /// Where a layer's output lies.
    pub fn activation(&self, layer: usize) -> (BufferId, u64) {
        (self.of(layer + 1), self.activations[layer])
    }

    /// Where the gradient by what its matrix product gives lies.
    pub fn delta(&self, layer: usize) -> (BufferId, u64) {
        (self.of(layer), self.deltas[layer])
    }
}

impl Builder<'_> {
    /// The calls of the fused update: one for each [`MOST_LAYERS`] layers, and what follows it.
    pub(super) fn fused_update(
        &self,
        arenas: &Arenas,
        pass: &Pass,
        buffers: &PassBuffers,
    ) -> Result<Vec<Call>> {
        let Some(update) = &self.request.update else { return Ok(Vec::new()) };
        let network = self.request.network;
        let layers: Vec<usize> = (0..network.layers.len()).collect();
        let mut calls = Vec::new();
        for part in layers.chunks(MOST_LAYERS) {
            let units = part.iter().map(|i| network.layers[*i].units);
            let biases = units.map(|units| units.next_multiple_of(4)).sum();
            let mut bindings = self.tables(buffers).to_vec();
            bindings.extend(self.update_operands(arenas, buffers));
            bindings.extend([
                ("parameters", self.parameters),
                ("block_settings", self.plan.buffer("block_settings")?),
            ]);
            for name in ["moment0", "moment1", "moment2"] {
                bindings.push((name, self.plan.buffer(name)?));
            }
            calls.push(Call {
                kernel: Kernel::Update,
                subject: update.row.name.to_owned(),
                variants: Variants {
                    optimizer: Some((update.row, update.form)),
                    by_block: update.by_block,
                    gathered: true,
                    ..Variants::default()
                },
                parameters: Parameters::Update(Update {
                    members: word("members", self.plan.members)?,
                    layers: word("layers", part.len())?,
                    batch_rows: word("rows", self.rows)?,
                    order_stride: word("rows", pass.resident_rows)?,
                    parameter_stride: word("parameters", network.stride)?,
                    finishes: u32::from(part.last() == layers.last()),
                    statistics: word("statistics", self.plan.statistics)?,
                    log_width: word("log", self.plan.log_width)?,
                    biases: word("biases", biases)?,
                    table: self.updated_layers(arenas, pass, part)?,
                    ..Update::default()
                }),
                bindings,
                extent: self.largest_extent(part)?,
            });
        }
        calls.extend(self.after_update(update, buffers)?);
        Ok(calls)
    }

    /// The table of a call's layers.
    pub(super) fn updated_layers(
        &self,
        arenas: &Arenas,
        pass: &Pass,
        layers: &[usize],
    ) -> Result<[UpdatedLayer; MOST_LAYERS]> {
        let mut table = [UpdatedLayer::default(); MOST_LAYERS];
        for (row, i) in table.iter_mut().zip(layers) {
            let layer = &self.request.network.layers[*i];
            let input = if *i == 0 { 0 } else { arenas.activation(*i - 1).1 };
            *row = UpdatedLayer {
                inputs: word("inputs", layer.inputs)?,
                units: word("units", layer.units)?,
                weight_offset: word("parameters", layer.offsets.weight)?,
                bias_offset: word("parameters", layer.offsets.bias)?,
                input_offset: input as u32,
                delta_offset: arenas.delta(*i).1 as u32,
                place: if *i == 0 { GATHERED } else { (i % 2) as u32 },
                rows: word("rows", pass.batch_rows)?,
            };
        }
        Ok(table)
    }

    /// What a call that makes the weight gradients of several layers and ends the step binds.
    pub(super) fn update_operands(
        &self,
        arenas: &Arenas,
        buffers: &PassBuffers,
    ) -> [(&'static str, BufferId); 6] {
        [
            ("order", buffers.order),
            ("features", buffers.features),
            ("even", arenas.even),
            ("odd", arenas.odd),
            ("row_statistics", self.row_statistics),
            ("step_log", buffers.log),
        ]
    }

    /// The extent of a call's largest layer.
    pub(super) fn largest_extent(&self, layers: &[usize]) -> Result<[u32; 3]> {
        let largest = layers.iter().map(|i| &self.request.network.layers[*i]);
        let largest = largest.max_by_key(|layer| layer.weights());
        let (inputs, units) = largest.map_or((0, 0), |layer| (layer.inputs, layer.units));
        self.extent(inputs, units)
    }
}
