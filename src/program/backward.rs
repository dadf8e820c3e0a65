//! The backward calls of a training pass: from the gradient of the loss by the outputs to the
//! gradient of every parameter.

use super::builder::{Builder, PassBuffers, word};
use super::plan::Pass;
use super::{Call, Variants};
use crate::catalog::activation::ActivationSettings;
use crate::error::{Error, Result};
use crate::kernels::input_gradient::InputGradient;
use crate::kernels::layer_gradient::LayerGradient;
use crate::kernels::normalize_gradient::NormalizeGradient;
use crate::kernels::row_activation_gradient::RowActivationGradient;
use crate::kernels::scale_gradient::ScaleGradient;
use crate::kernels::slope_gradient::SlopeGradient;
use crate::kernels::weight_gradient::WeightGradient;
use crate::kernels::{Kernel, Parameters};

impl Builder<'_> {
    pub(super) fn backward(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let mut calls = Vec::new();
        for (i, layer) in self.request.network.layers.iter().enumerate().rev() {
            if layer.shape.row_activation.is_some() {
                calls.push(self.row_activation_gradient(i, pass, buffers)?);
            } else if layer.apart {
                if layer.shape.slopes > 0 {
                    calls.push(self.slope_gradient(i, buffers)?);
                }
                calls.push(self.layer_gradient(i, pass, buffers)?);
            }
            if layer.shape.normalization.is_some() {
                calls.push(self.scale_gradient(i, buffers)?);
                calls.push(self.normalize_gradient(i, pass, buffers)?);
            }
            calls.push(self.weight_gradient(i, pass, buffers)?);
            calls.extend(self.adapter_gradient(i, buffers)?);
            if i > 0 || self.embedded.is_some() {
                calls.push(self.input_gradient(i, pass, buffers)?);
            }
        }
        calls.extend(self.embedding_gradients(pass, buffers)?);
        calls.extend(self.share_gradients(buffers)?);
        Ok(calls)
    }

    /// The calls of a step that leaves the gradients of the weights to its update.
    pub(super) fn input_gradients(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Vec<Call>> {
        (1..self.layers.len()).rev().map(|i| self.input_gradient(i, pass, buffers)).collect()
    }

    fn weight_gradient(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let network = self.request.network;
        let layer = &network.layers[i];
        let input = self.input_of(i, pass, buffers)?;
        let mut bindings = vec![
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("input", input.buffer),
            ("delta", self.layers[i].delta),
            ("gradients", self.plan.buffer("gradients")?),
        ];
        if input.gathered {
            bindings.push(("order", buffers.order));
        }
        Ok(Call {
            kernel: Kernel::WeightGradient,
            subject: format!("layers.{i}"),
            variants: Variants { gathered: input.gathered, ..Variants::default() },
            parameters: Parameters::WeightGradient(WeightGradient {
                members: word("members", self.plan.members)?,
                inputs: word("inputs", layer.inputs)?,
                outputs: word("units", layer.units)?,
                input_member_stride: input.member_stride,
                delta_member_stride: word("activations", self.rows * layer.units)?,
                order_stride: input.order_stride,
                parameter_stride: word("parameters", network.stride)?,
                weight_offset: word("parameters", layer.offsets.weight)?,
                bias_offset: word("parameters", layer.offsets.bias)?,
                ..WeightGradient::default()
            }),
            bindings,
            extent: self.extent(layer.inputs + 1, layer.units)?,
        })
    }

    fn input_gradient(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let network = self.request.network;
        let layer = &network.layers[i];
        let delta_below = match (i.checked_sub(1), &self.embedded) {
            (Some(below), _) => self.layers[below].delta,
            (None, embedded) => {
                let delta = embedded.as_ref().and_then(|embedded| embedded.delta);
                self.of_layer(i, delta)?
            }
        };
        let mut bindings = vec![
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("delta", self.layers[i].delta),
            ("parameters", self.weights_of_layer(i, pass)?),
            ("delta_below", delta_below),
        ];
        // The layer below whose derivative is part of the call.
        let below = i.checked_sub(1).filter(|below| !network.layers[*below].apart);
        match below {
            None => bindings
                .extend(self.layers[i].residual_gradient.map(|id| ("residual_gradient", id))),
            Some(below) => {
                let own = &self.layers[below];
                bindings.push(("layers", self.layer_table));
                bindings.push(("below", own.activation));
                bindings.extend(own.pre_activation.map(|id| ("pre_activation", id)));
            }
        }
        let shape_below = i.checked_sub(1).map(|below| &network.layers[below].shape);
        let activation = shape_below.map_or(ActivationSettings::linear(), |own| own.activation);
        Ok(Call {
            kernel: Kernel::InputGradient,
            subject: format!("layers.{i}"),
            variants: Variants {
                activation: below.map(|_| activation),
                drops: below.is_some() && shape_below.is_some_and(|own| own.dropout > 0.0),
                ..Variants::default()
            },
            parameters: Parameters::InputGradient(InputGradient {
                members: word("members", self.plan.members)?,
                inputs: word("inputs", layer.inputs)?,
                outputs: word("units", layer.units)?,
                delta_member_stride: word("activations", self.rows * layer.units)?,
                below_member_stride: word("activations", self.rows * layer.inputs)?,
                parameter_stride: word("parameters", network.stride)?,
                weight_offset: word("parameters", layer.offsets.weight)?,
                layer: word("layers", i.saturating_sub(1))?,
                layer_stride: word("layers", network.layers.len())?,
                alpha: activation.values[0] as f32,
                beta: activation.values[1] as f32,
                ..InputGradient::default()
            }),
            bindings,
            extent: self.extent(layer.inputs, pass.batch_rows)?,
        })
    }

    fn layer_gradient(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let network = self.request.network;
        let layer = &network.layers[i];
        let own = &self.layers[i];
        let mut bindings = vec![
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("layers", self.layer_table),
            ("parameters", self.parameters),
            ("input", self.of_layer(i, own.pre_activation)?),
            ("delta", self.layers[i].delta),
        ];
        bindings.extend(own.residual_gradient.map(|id| ("residual_gradient", id)));
        Ok(Call {
            kernel: Kernel::LayerGradient,
            subject: format!("layers.{i}"),
            variants: Variants { activation: Some(layer.shape.activation), ..Variants::default() },
            parameters: Parameters::LayerGradient(LayerGradient {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                member_stride: word("activations", self.rows * layer.units)?,
                parameter_stride: word("parameters", network.stride)?,
                slope_offset: word("parameters", layer.offsets.slope)?,
                slopes: word("slopes", layer.shape.slopes)?,
                layer: word("layers", i)?,
                layer_stride: word("layers", network.layers.len())?,
                training: 1,
                alpha: layer.shape.activation.values[0] as f32,
                beta: layer.shape.activation.values[1] as f32,
                ..LayerGradient::default()
            }),
            bindings,
            extent: self.extent(pass.batch_rows * layer.units, 1)?,
        })
    }

    fn slope_gradient(&self, i: usize, buffers: &PassBuffers) -> Result<Call> {
        let network = self.request.network;
        let layer = &network.layers[i];
        Ok(Call {
            kernel: Kernel::SlopeGradient,
            subject: format!("layers.{i}"),
            variants: Variants::default(),
            parameters: Parameters::SlopeGradient(SlopeGradient {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                slopes: word("slopes", layer.shape.slopes)?,
                member_stride: word("activations", self.rows * layer.units)?,
                parameter_stride: word("parameters", network.stride)?,
                slope_offset: word("parameters", layer.offsets.slope)?,
                layer: word("layers", i)?,
                layer_stride: word("layers", network.layers.len())?,
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("layers", self.layer_table),
                ("input", self.of_layer(i, self.layers[i].pre_activation)?),
                ("delta", self.layers[i].delta),
                ("gradients", self.plan.buffer("gradients")?),
            ],
            extent: self.extent(layer.shape.slopes, 1)?,
        })
    }

    fn scale_gradient(&self, i: usize, buffers: &PassBuffers) -> Result<Call> {
        let layer = &self.request.network.layers[i];
        let own = &self.layers[i];
        Ok(Call {
            kernel: Kernel::ScaleGradient,
            subject: format!("layers.{i}"),
            variants: self.normalization(i)?,
            parameters: Parameters::ScaleGradient(ScaleGradient {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                member_stride: word("activations", self.rows * layer.units)?,
                statistics_member_stride: self.statistics_stride(i)?,
                parameter_stride: word("parameters", self.request.network.stride)?,
                scale_offset: word("parameters", layer.offsets.scale)?,
                shift_offset: word("parameters", layer.offsets.shift)?,
                ..ScaleGradient::default()
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("input", self.of_layer(i, own.linear)?),
                ("statistics", self.of_layer(i, own.statistics)?),
                ("delta", self.layers[i].delta),
                ("gradients", self.plan.buffer("gradients")?),
            ],
            extent: self.extent(layer.units, 1)?,
        })
    }

    fn normalize_gradient(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let layer = &self.request.network.layers[i];
        let own = &self.layers[i];
        let variants = self.normalization(i)?;
        let by_column = variants.normalization.is_some_and(|row| row.by_column);
        let items = if by_column { layer.units } else { pass.batch_rows };
        Ok(Call {
            kernel: Kernel::NormalizeGradient,
            subject: format!("layers.{i}"),
            variants,
            parameters: Parameters::NormalizeGradient(NormalizeGradient {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                member_stride: word("activations", self.rows * layer.units)?,
                statistics_member_stride: self.statistics_stride(i)?,
                parameter_stride: word("parameters", self.request.network.stride)?,
                scale_offset: word("parameters", layer.offsets.scale)?,
                shift_offset: word("parameters", layer.offsets.shift)?,
                ..NormalizeGradient::default()
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("parameters", self.parameters),
                ("input", self.of_layer(i, own.linear)?),
                ("statistics", self.of_layer(i, own.statistics)?),
                ("delta", self.layers[i].delta),
            ],
            extent: self.extent(items, 1)?,
        })
    }

    fn normalization(&self, i: usize) -> Result<Variants> {
        let settings = self.request.network.layers[i].shape.normalization;
        let settings =
            settings.ok_or_else(|| Error::internal(format!("layers.{i} has no normalisation")))?;
        Ok(Variants { normalization: Some(settings.row), ..Variants::default() })
    }

    fn row_activation_gradient(
        &self,
        i: usize,
        pass: &Pass,
        buffers: &PassBuffers,
    ) -> Result<Call> {
        let layer = &self.request.network.layers[i];
        Ok(Call {
            kernel: Kernel::RowActivationGradient,
            subject: format!("layers.{i}"),
            variants: Variants {
                row_activation: layer.shape.row_activation,
                ..Variants::default()
            },
            parameters: Parameters::RowActivationGradient(RowActivationGradient {
                members: word("members", self.plan.members)?,
                units: word("units", layer.units)?,
                member_stride: word("activations", self.rows * layer.units)?,
                ..RowActivationGradient::default()
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("output", self.layers[i].activation),
                ("delta", self.layers[i].delta),
            ],
            extent: self.extent(pass.batch_rows, 1)?,
        })
    }
}
