//! The forward calls of a pass.

use super::builder::{Builder, PassBuffers, word};
use super::plan::Pass;
use super::{BufferId, Call, Variants};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::optimizer::Convention;
use crate::error::{Error, Result};
use crate::kernels::dense_forward::DenseForward;
use crate::kernels::layer_output::LayerOutput;
use crate::kernels::normalize::Normalize;
use crate::kernels::row_activation::RowActivation;
use crate::kernels::{Kernel, Parameters};

impl Builder<'_> {
    pub(super) fn forward(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let mut calls = self.adapt_weights(pass, buffers)?;
        calls.extend(self.embed(pass, buffers)?);
        for (i, layer) in self.request.network.layers.iter().enumerate() {
            calls.push(self.dense_forward(i, pass, buffers)?);
            if layer.shape.normalization.is_some() {
                calls.push(self.normalize(i, pass, buffers)?);
            }
            if layer.shape.row_activation.is_some() {
                calls.push(self.row_activation(i, pass, buffers)?);
            } else if layer.apart {
                calls.push(self.layer_output(i, pass, buffers)?);
            }
        }
        Ok(calls)
    }

    /// A buffer that a layer whose activation is apart must have.
    pub(super) fn of_layer(&self, layer: usize, buffer: Option<BufferId>) -> Result<BufferId> {
        buffer.ok_or_else(|| Error::internal(format!("layers.{layer} lacks a buffer")))
    }

    fn dense_forward(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let network = self.request.network;
        let layer = &network.layers[i];
        let own = &self.layers[i];
        let input = self.input_of(i, pass, buffers)?;
        let output = match (own.linear, own.pre_activation) {
            (Some(linear), _) => linear,
            (None, Some(pre_activation)) if layer.apart => pre_activation,
            _ => own.activation,
        };
        let mut bindings = vec![
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("layers", self.layer_table),
            ("input", input.buffer),
            ("parameters", self.weights_of_layer(i, pass)?),
            ("output", output),
        ];
        if input.gathered {
            bindings.push(("order", buffers.order));
        }
        let activation =
            if layer.apart { ActivationSettings::linear() } else { layer.shape.activation };
        if let (false, Some(kept)) = (layer.apart, own.pre_activation) {
            bindings.push(("pre_activation", kept));
        }
        let drops = pass.training() && !layer.apart && layer.shape.dropout > 0.0;
        Ok(Call {
            kernel: Kernel::DenseForward,
            subject: format!("layers.{i}"),
            variants: Variants {
                activation: Some(activation),
                gathered: input.gathered,
                drops,
                ..Variants::default()
            },
            parameters: Parameters::DenseForward(DenseForward {
                members: word("members", self.plan.members)?,
                inputs: word("inputs", layer.inputs)?,
                outputs: word("units", layer.units)?,
                input_member_stride: input.member_stride,
                output_member_stride: word("activations", self.rows * layer.units)?,
                order_stride: input.order_stride,
                parameter_stride: word("parameters", network.stride)?,
                weight_offset: word("parameters", layer.offsets.weight)?,
                bias_offset: word("parameters", layer.offsets.bias)?,
                layer: word("layers", i)?,
                layer_stride: word("layers", network.layers.len())?,
                dropout: u32::from(drops),
                alpha: activation.values[0] as f32,
                beta: activation.values[1] as f32,
                ..DenseForward::default()
            }),
            bindings,
            extent: self.extent(layer.units, pass.batch_rows)?,
        })
    }

    /// Values between members in a layer's statistics.
    pub(super) fn statistics_stride(&self, i: usize) -> Result<u32> {
        let layer = &self.request.network.layers[i];
        let by_column = layer.shape.normalization.is_some_and(|settings| settings.row.by_column);
        word("statistics", if by_column { layer.units } else { self.rows } * 2)
    }

    fn normalize(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let layer = &self.request.network.layers[i];
        let own = &self.layers[i];
        let settings = layer
            .shape
            .normalization
            .ok_or_else(|| Error::internal(format!("layers.{i} has no normalisation")))?;
        let items = if settings.row.by_column { layer.units } else { pass.batch_rows };
        Ok(Call {
            kernel: Kernel::Normalize,
            subject: format!("layers.{i}"),
            variants: Variants {
                normalization: Some(settings.row),
                numbers: [settings.epsilon(), settings.rate()],
                ..Variants::default()
            },
            parameters: Parameters::Normalize(Normalize {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                member_stride: word("activations", self.rows * layer.units)?,
                statistics_member_stride: self.statistics_stride(i)?,
                parameter_stride: word("parameters", self.request.network.stride)?,
                scale_offset: word("parameters", layer.offsets.scale)?,
                shift_offset: word("parameters", layer.offsets.shift)?,
                mean_offset: word("parameters", layer.offsets.mean)?,
                variance_offset: word("parameters", layer.offsets.variance)?,
                training: u32::from(pass.training()),
                unbiased: u32::from(settings.convention == Convention::Torch),
                epsilon: settings.epsilon() as f32,
                rate: settings.rate() as f32,
                ..Normalize::default()
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("parameters", self.weights_of(pass)),
                ("input", self.of_layer(i, own.linear)?),
                ("statistics", self.of_layer(i, own.statistics)?),
                ("output", self.of_layer(i, own.pre_activation)?),
            ],
            extent: self.extent(items, 1)?,
        })
    }

    fn layer_output(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let network = self.request.network;
        let layer = &network.layers[i];
        let own = &self.layers[i];
        let mut bindings = vec![
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("layers", self.layer_table),
            ("parameters", self.weights_of(pass)),
            ("input", self.of_layer(i, own.pre_activation)?),
            ("output", own.activation),
        ];
        if layer.shape.residual {
            bindings.push(("residual", self.layers[i - 1].activation));
        }
        Ok(Call {
            kernel: Kernel::LayerOutput,
            subject: format!("layers.{i}"),
            variants: Variants { activation: Some(layer.shape.activation), ..Variants::default() },
            parameters: Parameters::LayerOutput(LayerOutput {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                member_stride: word("activations", self.rows * layer.units)?,
                parameter_stride: word("parameters", network.stride)?,
                slope_offset: word("parameters", layer.offsets.slope)?,
                slopes: word("slopes", layer.shape.slopes)?,
                layer: word("layers", i)?,
                layer_stride: word("layers", network.layers.len())?,
                training: u32::from(pass.training()),
                alpha: layer.shape.activation.values[0] as f32,
                beta: layer.shape.activation.values[1] as f32,
                ..LayerOutput::default()
            }),
            bindings,
            extent: self.extent(pass.batch_rows * layer.units, 1)?,
        })
    }

    fn row_activation(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let layer = &self.request.network.layers[i];
        let own = &self.layers[i];
        Ok(Call {
            kernel: Kernel::RowActivation,
            subject: format!("layers.{i}"),
            variants: Variants {
                row_activation: layer.shape.row_activation,
                ..Variants::default()
            },
            parameters: Parameters::RowActivation(RowActivation {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                member_stride: word("activations", self.rows * layer.units)?,
                ..RowActivation::default()
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("input", self.of_layer(i, own.pre_activation)?),
                ("output", own.activation),
            ],
            extent: self.extent(pass.batch_rows, 1)?,
        })
    }
}
