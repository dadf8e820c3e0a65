//! The calls of layers whose weights the heads of a network share: each head's own weights out of them
//! before a pass, and one gradient of what is shared after it.
//!
//! A head's own weights are made once a step, not its inputs and sums multiplied row by row: it is the
//! same network, and its matrix products are those of any other.

use super::builder::{Builder, PassBuffers, word};
use super::plan::Pass;
use super::{BufferId, Call, Variants};
use crate::error::Result;
use crate::kernels::adapt_weights::AdaptWeights;
use crate::kernels::adapter_gradient::AdapterGradient;
use crate::kernels::share_gradients::ShareGradients;
use crate::kernels::{Kernel, Parameters};
use crate::network::{Sharing, TensorKind};

/// The name of the buffer that heads' own weights are in.
pub(super) const ADAPTED: &str = "adapted_parameters";

impl Builder<'_> {
    /// What a layer shares, where its heads' weights are made of it.
    fn adapted(&self, i: usize) -> Option<Sharing> {
        self.request.network.layers[i].adapted()
    }

    /// The weights that a layer's products are of.
    pub(super) fn weights_of_layer(&self, i: usize, pass: &Pass) -> Result<BufferId> {
        match self.adapted(i) {
            Some(_) => self.plan.buffer(ADAPTED),
            None => Ok(self.weights_of(pass)),
        }
    }

    /// The calls that make the heads' own weights.
    pub(super) fn adapt_weights(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let network = self.request.network;
        let mut calls = Vec::new();
        for (i, layer) in network.layers.iter().enumerate() {
            let Some(sharing) = layer.adapted() else { continue };
            let mut bindings = self.tables(buffers).to_vec();
            bindings.extend([
                ("parameters", self.weights_of(pass)),
                ("adapted", self.plan.buffer(ADAPTED)?),
            ]);
            calls.push(Call {
                kernel: Kernel::AdaptWeights,
                subject: format!("layers.{i}"),
                variants: Variants::default(),
                parameters: Parameters::AdaptWeights(AdaptWeights {
                    members: word("members", self.plan.members)?,
                    inputs: word("inputs", layer.inputs)?,
                    units: word("units", layer.units)?,
                    parameter_stride: word("parameters", network.stride)?,
                    weight_offset: word("parameters", layer.offsets.weight)?,
                    bias_offset: word("parameters", layer.offsets.bias)?,
                    input_adapter: u32::from(sharing.input_adapter),
                    output_adapter: u32::from(sharing.output_adapter),
                    input_adapter_offset: word("parameters", layer.offsets.input_adapter)?,
                    output_adapter_offset: word("parameters", layer.offsets.output_adapter)?,
                    ..AdaptWeights::default()
                }),
                bindings,
                extent: self.extent(layer.weights() + layer.units, 1)?,
            });
        }
        Ok(calls)
    }

    /// The gradients of what tells heads apart; none where a layer has nothing of the kind.
    pub(super) fn adapter_gradient(&self, i: usize, buffers: &PassBuffers) -> Result<Option<Call>> {
        let network = self.request.network;
        let layer = &network.layers[i];
        let Some(sharing) = self.adapted(i) else { return Ok(None) };
        let items = usize::from(sharing.input_adapter) * layer.inputs
            + usize::from(sharing.output_adapter) * layer.units;
        Ok(Some(Call {
            kernel: Kernel::AdapterGradient,
            subject: format!("layers.{i}"),
            variants: Variants::default(),
            parameters: Parameters::AdapterGradient(AdapterGradient {
                members: word("members", self.plan.members)?,
                inputs: word("inputs", layer.inputs)?,
                units: word("units", layer.units)?,
                parameter_stride: word("parameters", network.stride)?,
                weight_offset: word("parameters", layer.offsets.weight)?,
                input_adapter: u32::from(sharing.input_adapter),
                output_adapter: u32::from(sharing.output_adapter),
                input_adapter_offset: word("parameters", layer.offsets.input_adapter)?,
                output_adapter_offset: word("parameters", layer.offsets.output_adapter)?,
                ..AdapterGradient::default()
            }),
            bindings: self.of_gradients(buffers)?,
            extent: self.extent(items, 1)?,
        }))
    }

    /// The calls that make one gradient of all heads' of what they share.
    pub(super) fn share_gradients(&self, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let network = self.request.network;
        let mut calls = Vec::new();
        for tensor in network.tensors().iter().filter(|tensor| tensor.is_shared) {
            let layer = tensor.layer.filter(|_| tensor.kind == TensorKind::Weight);
            let offsets = layer.map(|i| network.layers[i].offsets).unwrap_or_default();
            let sharing = layer.and_then(|i| self.adapted(i));
            calls.push(Call {
                kernel: Kernel::ShareGradients,
                subject: tensor.name.clone(),
                variants: Variants::default(),
                parameters: Parameters::ShareGradients(ShareGradients {
                    members: word("members", self.plan.members)?,
                    heads: word("heads", network.heads)?,
                    columns: word("columns", tensor.shape.last().copied().unwrap_or(1))?,
                    length: word("parameters", tensor.length)?,
                    parameter_stride: word("parameters", network.stride)?,
                    offset: word("parameters", tensor.offset)?,
                    input_adapter: u32::from(sharing.is_some_and(|own| own.input_adapter)),
                    output_adapter: u32::from(sharing.is_some_and(|own| own.output_adapter)),
                    input_adapter_offset: word("parameters", offsets.input_adapter)?,
                    output_adapter_offset: word("parameters", offsets.output_adapter)?,
                    ..ShareGradients::default()
                }),
                bindings: self.of_gradients(buffers)?,
                extent: self.extent_of_networks(tensor.length)?,
            });
        }
        Ok(calls)
    }

    /// The extent of a call that is of all heads of a network at once.
    pub(super) fn extent_of_networks(&self, columns: usize) -> Result<[u32; 3]> {
        let networks = self.plan.members / self.request.network.heads;
        Ok([word("columns", columns)?, 1, word("members", networks)?])
    }

    fn of_gradients(&self, buffers: &PassBuffers) -> Result<Vec<(&'static str, BufferId)>> {
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("parameters", self.parameters),
            ("gradients", self.plan.buffer("gradients")?),
        ]);
        Ok(bindings)
    }
}
