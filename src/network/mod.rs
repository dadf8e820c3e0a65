//! The network: dense layers, their shapes, and the flat arena that holds all parameters.

mod embedding;
mod tensors;

use crate::catalog::activation::ActivationSettings;
use crate::catalog::normalization::NormalizationSettings;
use crate::catalog::row_activation::RowActivationRow;
use crate::error::{Error, Result};
use crate::kernels::gradient_statistics::BLOCK;

pub use embedding::{Embedding, EmbeddingShape};
pub use tensors::{Tensor, TensorKind};

/// What the user asks of one layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerShape {
    /// Units of the layer.
    pub units: usize,
    /// Its activation.
    pub activation: ActivationSettings,
    /// Learned slopes of the activation: 0, 1 that all units share, or one a unit.
    pub slopes: usize,
    /// An activation of whole rows in place of `activation`.
    pub row_activation: Option<&'static RowActivationRow>,
    /// Normalisation between the matrix product and the activation.
    pub normalization: Option<NormalizationSettings>,
    /// Share of its outputs dropped in training.
    pub dropout: f64,
    /// Whether dropout is alpha dropout.
    pub alpha_dropout: bool,
    /// Standard deviation of the noise added to the activation in training.
    pub noise: f64,
    /// Whether the layer's input is added to its output.
    pub residual: bool,
    /// The largest norm of a unit's weights.
    pub max_norm: Option<f64>,
    /// What the heads of a network have in common; none where each has all of its own.
    pub sharing: Option<Sharing>,
}

/// A layer whose weights the heads of a network have in common: they train as one, on the sum of the
/// heads' gradients. What tells the heads apart is a vector that a head's input is multiplied by, and one
/// for what its matrix product gives: the rank-1 adapters of BatchEnsemble (Wen et al. 2020), of which
/// TabM (Gorishniy et al. 2025) is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Whether each head's input is multiplied by a vector of its own.
    pub input_adapter: bool,
    /// Whether each head's sums, before the biases, are.
    pub output_adapter: bool,
    /// Whether the biases are common too.
    pub bias: bool,
}

impl Sharing {
    /// Whether a head's weights are not simply those that are shared.
    pub fn adapts(self) -> bool {
        self.input_adapter || self.output_adapter
    }
}

impl LayerShape {
    /// A layer of so many units with an activation and nothing else.
    pub fn new(units: usize, activation: ActivationSettings) -> Self {
        Self {
            units,
            activation,
            slopes: 0,
            row_activation: None,
            normalization: None,
            dropout: 0.0,
            alpha_dropout: false,
            noise: 0.0,
            residual: false,
            max_norm: None,
            sharing: None,
        }
    }

    /// Whether its activation cannot be part of the matrix product.
    fn is_apart(&self) -> bool {
        self.slopes > 0
            || self.row_activation.is_some()
            || self.normalization.is_some()
            || self.alpha_dropout
            || self.noise > 0.0
            || self.residual
    }
}

/// Where a layer's tensors begin in a member's arena.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offsets {
    /// The weights `[units, inputs]`.
    pub weight: usize,
    /// The biases.
    pub bias: usize,
    /// The normalisation's scales.
    pub scale: usize,
    /// Its shifts, where it has any.
    pub shift: usize,
    /// Its running means, where it has any.
    pub mean: usize,
    /// Its running variances, where it has any.
    pub variance: usize,
    /// The activation's slopes.
    pub slope: usize,
    /// What a head's input is multiplied by, where it is.
    pub input_adapter: usize,
    /// What its sums are multiplied by, where they are.
    pub output_adapter: usize,
}

/// One dense layer, with its place in the arena. Weights are `[units, inputs]`, row-major.
#[derive(Debug, Clone, Copy)]
pub struct Dense {
    /// Inputs.
    pub inputs: usize,
    /// Units.
    pub units: usize,
    /// What the user asks of it.
    pub shape: LayerShape,
    /// Whether its activation is apart from the matrix product, in a kernel of its own.
    pub apart: bool,
    /// Where its tensors begin.
    pub offsets: Offsets,
}

impl Dense {
    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.inputs * self.units
    }

    /// What heads have in common, where their own weights are made of it.
    pub fn adapted(&self) -> Option<Sharing> {
        self.shape.sharing.filter(|sharing| sharing.adapts())
    }
}

/// A dense network of M members.
#[derive(Debug, Clone)]
pub struct Network {
    /// Independent networks of this architecture, trained side by side.
    pub members: usize,
    /// Members, one after the other, that are the heads of one network: they have weights in common,
    /// train on the mean of their losses, and stop together. 1 where each is a network by itself.
    pub heads: usize,
    /// Values of a data row. The first layer's inputs are as many, but for the vectors that stand in
    /// place of codes.
    pub inputs: usize,
    /// The tables of embedded columns, in the order of the columns.
    pub embeddings: Vec<Embedding>,
    /// The layers; the last is the output layer.
    pub layers: Vec<Dense>,
    /// Length of one member's arena, padding included.
    pub stride: usize,
}

impl Network {
    /// Lays out the hidden layers and a linear output layer.
    ///
    /// # Errors
    /// As [`Network::with_output`].
    pub fn new(
        members: usize,
        inputs: usize,
        hidden: &[LayerShape],
        outputs: usize,
    ) -> Result<Self> {
        let output = LayerShape::new(outputs, ActivationSettings::linear());
        Self::with_output(members, inputs, hidden, output)
    }

    /// Lays out the hidden layers and the output layer. Every tensor begins at a multiple of 64
    /// elements, so that a block of 64 belongs to one tensor.
    ///
    /// # Errors
    /// When a member has more than 2^32 - 1 parameters, padding included, or a residual layer is
    /// not as wide as the one below it.
    pub fn with_output(
        members: usize,
        inputs: usize,
        hidden: &[LayerShape],
        output: LayerShape,
    ) -> Result<Self> {
        Self::embedded(members, inputs, &[], hidden, output)
    }

    /// The same, with learned vectors in place of the codes of some columns, whose tables come first.
    ///
    /// # Errors
    /// Those of [`Network::with_output`], and a table that cannot be addressed.
    pub fn embedded(
        members: usize,
        inputs: usize,
        embeddings: &[EmbeddingShape],
        hidden: &[LayerShape],
        output: LayerShape,
    ) -> Result<Self> {
        let (embeddings, mut width, mut end) = embedding::place(inputs, embeddings)?;
        let shapes: Vec<LayerShape> = hidden.iter().copied().chain([output]).collect();
        let mut layers: Vec<Dense> = Vec::with_capacity(shapes.len());
        for (index, shape) in shapes.iter().enumerate() {
            if shape.residual && (index == 0 || width != shape.units) {
                let below = if index == 0 { "the input" } else { "the layer below" };
                return Err(Error::config(
                    format!("model.layers[{index}].residual"),
                    format!("{below} has {width} units, this layer {}", shape.units),
                )
                .with_help(
                    "only a hidden layer as wide as the hidden layer below can be added to",
                ));
            }
            let Some((offsets, new_end)) = tensors::place(shape, width, end) else {
                return Err(Error::config(
                    format!("model.layers[{index}].units"),
                    format!(
                        "a layer of {} units on {width} inputs takes the network past 2^32 parameters",
                        shape.units
                    ),
                )
                .with_help("use fewer units"));
            };
            // What goes round a layer meets the gradient of the layer below before its activation.
            let feeds_residual = shapes.get(index + 1).is_some_and(|above| above.residual);
            let is_output = index + 1 == shapes.len();
            let output_acts = is_output && shape.activation.row.name != "linear";
            layers.push(Dense {
                inputs: width,
                units: shape.units,
                shape: *shape,
                apart: shape.is_apart() || feeds_residual || output_acts,
                offsets,
            });
            width = shape.units;
            end = new_end;
        }
        let shares = layers.iter().any(|layer| layer.shape.sharing.is_some());
        let heads = if shares { members } else { 1 };
        let stride = end.next_multiple_of(BLOCK);
        Ok(Self { members, heads, inputs, embeddings, layers, stride })
    }

    /// Units of the output layer.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.units)
    }

    /// How many different ones there are of a tensor.
    pub fn copies(&self, tensor: &Tensor) -> usize {
        if tensor.is_shared { self.members / self.heads } else { self.members }
    }

    /// Parameters of one network that are trained, without padding: a member's, or those of its heads, of
    /// which what they share is counted once.
    pub fn parameters(&self) -> usize {
        let trained = self.tensors().into_iter().filter(|tensor| tensor.kind.is_trained());
        let copies = |tensor: &Tensor| if tensor.is_shared { 1 } else { self.heads };
        trained.map(|tensor| copies(&tensor) * tensor.length).sum()
    }

    /// Values that a model file holds: parameters and running statistics of all members.
    pub fn values(&self) -> u64 {
        let of = |tensor: &Tensor| self.copies(tensor) as u64 * tensor.length as u64;
        self.tensors().iter().map(of).sum()
    }

    /// The tensor that an element of a member's arena belongs to.
    pub fn tensor_at(&self, element: usize) -> Option<Tensor> {
        self.tensors().into_iter().rev().find(|tensor| tensor.offset <= element)
    }

    /// `784-256-128-10`, the inputs of the first layer and the units of each, for people.
    pub fn shape(&self) -> String {
        let inputs = self.layers.first().map_or(self.inputs, |layer| layer.inputs);
        let mut widths = vec![inputs.to_string()];
        widths.extend(self.layers.iter().map(|layer| layer.units.to_string()));
        widths.join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(units: usize) -> LayerShape {
        LayerShape::new(units, ActivationSettings::linear())
    }

    #[test]
    fn tensors_are_aligned_and_apart() -> Result<()> {
        let network = Network::new(1, 7, &[shape(11), shape(64)], 3)?;
        let tensors = network.tensors();
        assert_eq!(tensors.len(), 6);
        for pair in tensors.windows(2) {
            assert!(pair[0].offset + pair[0].length <= pair[1].offset);
        }
        for tensor in &tensors {
            assert_eq!(tensor.offset % BLOCK, 0);
            assert_eq!(network.tensor_at(tensor.offset + tensor.length - 1).as_ref(), Some(tensor));
        }
        assert_eq!(network.stride % BLOCK, 0);
        assert_eq!(network.parameters(), 7 * 11 + 11 + 11 * 64 + 64 + 64 * 3 + 3);
        assert_eq!(network.shape(), "7-11-64-3");
        Ok(())
    }

    #[test]
    fn a_network_past_32_bits_is_refused() {
        let error = Network::new(1, 1 << 20, &[shape(1 << 20)], 2).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("model.layers[0].units"), "{error}");
        assert!(Network::new(1, usize::MAX, &[shape(3)], 2).is_err());
    }
}
