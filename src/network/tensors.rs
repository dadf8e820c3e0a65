//! The arena's tensors: which a layer has, and where they lie.

use super::{LayerShape, Network, Offsets};
use crate::kernels::gradient_statistics::BLOCK;

/// What a tensor is to its layer, or to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorKind {
    /// `embeddings.{i}.weight`, `[categories, size]`: the table of an embedded column.
    Embedding,
    /// `layers.{i}.weight`, `[units, inputs]`.
    Weight,
    /// `layers.{i}.bias`.
    Bias,
    /// `layers.{i}.norm.weight`: the normalisation's scales.
    Scale,
    /// `layers.{i}.norm.bias`: its shifts.
    Shift,
    /// `layers.{i}.norm.running_mean`.
    RunningMean,
    /// `layers.{i}.norm.running_var`.
    RunningVariance,
    /// `layers.{i}.activation.weight`: learned slopes.
    Slope,
    /// `layers.{i}.adapter.input`: what a head's input is multiplied by.
    InputAdapter,
    /// `layers.{i}.adapter.output`: what a head's sums are multiplied by.
    OutputAdapter,
}

impl TensorKind {
    /// Its name behind the layer's or the embedding's, as in `torch.nn`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Embedding | Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Scale => "norm.weight",
            Self::Shift => "norm.bias",
            Self::RunningMean => "norm.running_mean",
            Self::RunningVariance => "norm.running_var",
            Self::Slope => "activation.weight",
            Self::InputAdapter => "adapter.input",
            Self::OutputAdapter => "adapter.output",
        }
    }

    /// Whether it has a gradient.
    pub fn is_trained(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVariance)
    }
}

/// A named range of a member's arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// `layers.{i}.weight` and so on.
    pub name: String,
    /// The layer; none of the table of an embedded column.
    pub layer: Option<usize>,
    /// What it is to the layer.
    pub kind: TensorKind,
    /// `[units, inputs]`, `[categories, size]`, or its length.
    pub shape: Vec<usize>,
    /// Where it begins.
    pub offset: usize,
    /// Its number of elements.
    pub length: usize,
    /// Whether the heads of a network have it in common: each holds the same values.
    pub is_shared: bool,
}

/// The tensors of a layer, with their lengths; none past the end of the address space.
fn lengths(shape: &LayerShape, inputs: usize) -> Option<Vec<(TensorKind, usize)>> {
    let mut all = vec![
        (TensorKind::Weight, inputs.checked_mul(shape.units)?),
        (TensorKind::Bias, shape.units),
    ];
    if let Some(normalization) = shape.normalization {
        all.push((TensorKind::Scale, shape.units));
        if normalization.row.has_shift {
            all.push((TensorKind::Shift, shape.units));
        }
        if normalization.row.by_column {
            all.push((TensorKind::RunningMean, shape.units));
            all.push((TensorKind::RunningVariance, shape.units));
        }
    }
    if shape.slopes > 0 {
        all.push((TensorKind::Slope, shape.slopes));
    }
    if shape.sharing.is_some_and(|sharing| sharing.input_adapter) {
        all.push((TensorKind::InputAdapter, inputs));
    }
    if shape.sharing.is_some_and(|sharing| sharing.output_adapter) {
        all.push((TensorKind::OutputAdapter, shape.units));
    }
    Some(all)
}

/// Lays a layer's tensors behind `end`, each at a multiple of 64; the new end.
pub(super) fn place(shape: &LayerShape, inputs: usize, end: usize) -> Option<(Offsets, usize)> {
    let mut offsets = Offsets::default();
    let mut end = end;
    for (kind, length) in lengths(shape, inputs)? {
        let start = end.checked_next_multiple_of(BLOCK)?;
        end = start.checked_add(length)?;
        u32::try_from(end.checked_add(BLOCK)?).ok()?;
        *match kind {
            // No layer has any.
            TensorKind::Embedding => continue,
            TensorKind::Weight => &mut offsets.weight,
            TensorKind::Bias => &mut offsets.bias,
            TensorKind::Scale => &mut offsets.scale,
            TensorKind::Shift => &mut offsets.shift,
            TensorKind::RunningMean => &mut offsets.mean,
            TensorKind::RunningVariance => &mut offsets.variance,
            TensorKind::Slope => &mut offsets.slope,
            TensorKind::InputAdapter => &mut offsets.input_adapter,
            TensorKind::OutputAdapter => &mut offsets.output_adapter,
        } = start;
    }
    Some((offsets, end))
}

impl Network {
    /// The arena's tensors, in order.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::with_capacity(self.embeddings.len() + self.layers.len() * 2);
        // What stands before the first layer is not each member's where that layer is not.
        let shares_tables = self.layers.first().is_some_and(|layer| layer.shape.sharing.is_some());
        for (i, embedding) in self.embeddings.iter().enumerate() {
            let kind = TensorKind::Embedding;
            tensors.push(Tensor {
                name: format!("embeddings.{i}.{}", kind.suffix()),
                layer: None,
                kind,
                shape: vec![embedding.shape.categories, embedding.shape.size],
                offset: embedding.offset,
                length: embedding.values(),
                is_shared: shares_tables,
            });
        }
        let mut end = self.tables_end();
        for (i, layer) in self.layers.iter().enumerate() {
            for (kind, length) in lengths(&layer.shape, layer.inputs).unwrap_or_default() {
                let offset = end.next_multiple_of(BLOCK);
                end = offset + length;
                tensors.push(Tensor {
                    name: format!("layers.{i}.{}", kind.suffix()),
                    layer: Some(i),
                    kind,
                    shape: match kind {
                        TensorKind::Weight => vec![layer.units, layer.inputs],
                        _ => vec![length],
                    },
                    offset,
                    length,
                    is_shared: layer.shape.sharing.is_some_and(|sharing| match kind {
                        TensorKind::Weight => true,
                        TensorKind::Bias => sharing.bias,
                        _ => false,
                    }),
                });
            }
        }
        tensors
    }
}
