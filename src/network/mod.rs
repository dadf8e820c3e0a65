//! The network: dense layers, their shapes, and the flat arena that holds all parameters.

use crate::catalog::activation::ActivationSettings;
use crate::error::{Error, Result};
use crate::kernels::gradient_statistics::BLOCK;

/// What the user asks of one layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerShape {
    /// Units of the layer.
    pub units: usize,
    /// Its activation.
    pub activation: ActivationSettings,
    /// Share of its outputs dropped in training.
    pub dropout: f64,
}

/// One dense layer, with its place in the arena. Weights are `[units, inputs]`, row-major.
#[derive(Debug, Clone, Copy)]
pub struct Dense {
    /// Inputs.
    pub inputs: usize,
    /// Units.
    pub units: usize,
    /// Its activation.
    pub activation: ActivationSettings,
    /// Share of its outputs dropped in training.
    pub dropout: f64,
    /// Where its weights begin in a member's arena.
    pub weight_offset: usize,
    /// Where its biases begin in a member's arena.
    pub bias_offset: usize,
}

impl Dense {
    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.inputs * self.units
    }
}

/// A named range of a member's arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// `layers.{i}.weight` or `layers.{i}.bias`.
    pub name: String,
    /// The layer.
    pub layer: usize,
    /// Whether it is the bias.
    pub is_bias: bool,
    /// `[units, inputs]` or `[units]`.
    pub shape: Vec<usize>,
    /// Where it begins.
    pub offset: usize,
    /// Its number of elements.
    pub length: usize,
}

/// A dense network of M members.
#[derive(Debug, Clone)]
pub struct Network {
    /// Independent networks of this architecture, trained side by side.
    pub members: usize,
    /// Columns of an input row.
    pub inputs: usize,
    /// The layers; the last is the linear output layer.
    pub layers: Vec<Dense>,
    /// Length of one member's arena, padding included.
    pub stride: usize,
}

impl Network {
    /// Lays out the hidden layers and the output layer. Every tensor begins at a multiple of 64
    /// elements, so that a block of 64 belongs to one tensor.
    ///
    /// # Errors
    /// When a member has more than 2^32 - 1 parameters, padding included.
    pub fn new(
        members: usize,
        inputs: usize,
        hidden: &[LayerShape],
        outputs: usize,
    ) -> Result<Self> {
        let output =
            LayerShape { units: outputs, activation: ActivationSettings::linear(), dropout: 0.0 };
        let mut layers = Vec::with_capacity(hidden.len() + 1);
        let mut width = inputs;
        let mut end = 0_usize;
        for (index, shape) in hidden.iter().chain([&output]).enumerate() {
            let place = |end: usize, length: Option<usize>| {
                let start = end.checked_next_multiple_of(BLOCK)?;
                Some((start, start.checked_add(length?)?))
            };
            let laid = place(end, width.checked_mul(shape.units))
                .and_then(|(weights, end)| {
                    place(end, Some(shape.units)).map(|(biases, end)| (weights, biases, end))
                })
                .filter(|(_, _, end)| u32::try_from(*end + BLOCK).is_ok());
            let Some((weight_offset, bias_offset, new_end)) = laid else {
                return Err(Error::config(
                    format!("model.layers[{index}].units"),
                    format!(
                        "a layer of {} units on {width} inputs takes the network past 2^32 parameters",
                        shape.units
                    ),
                )
                .with_help("use fewer units"));
            };
            layers.push(Dense {
                inputs: width,
                units: shape.units,
                activation: shape.activation,
                dropout: shape.dropout,
                weight_offset,
                bias_offset,
            });
            width = shape.units;
            end = new_end;
        }
        Ok(Self { members, inputs, layers, stride: end.next_multiple_of(BLOCK) })
    }

    /// Units of the output layer.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.units)
    }

    /// Parameters of one member, without padding.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights() + layer.units).sum()
    }

    /// The arena's tensors, in order.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::with_capacity(self.layers.len() * 2);
        for (i, layer) in self.layers.iter().enumerate() {
            tensors.push(Tensor {
                name: format!("layers.{i}.weight"),
                layer: i,
                is_bias: false,
                shape: vec![layer.units, layer.inputs],
                offset: layer.weight_offset,
                length: layer.weights(),
            });
            tensors.push(Tensor {
                name: format!("layers.{i}.bias"),
                layer: i,
                is_bias: true,
                shape: vec![layer.units],
                offset: layer.bias_offset,
                length: layer.units,
            });
        }
        tensors
    }

    /// The tensor that an element of a member's arena belongs to.
    pub fn tensor_at(&self, element: usize) -> Option<Tensor> {
        self.tensors().into_iter().rev().find(|tensor| tensor.offset <= element)
    }

    /// `784-256-128-10`, for people.
    pub fn shape(&self) -> String {
        let mut widths = vec![self.inputs.to_string()];
        widths.extend(self.layers.iter().map(|layer| layer.units.to_string()));
        widths.join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(units: usize) -> LayerShape {
        LayerShape { units, activation: ActivationSettings::linear(), dropout: 0.0 }
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
