//! The calls that turn a gradient into a step: clipping, the optimizer, the max-norm constraint, the
//! running average.

use super::builder::{Builder, PassBuffers, word};
use super::plan::{Clip, Update};
use super::{BufferId, Call, Contents, Variants};
use crate::error::Result;
use crate::kernels::average_parameters::AverageParameters;
use crate::kernels::clip_gradients::ClipGradients;
use crate::kernels::gradient_statistics::{BLOCK, GradientStatistics};
use crate::kernels::max_norm::MaxNorm;
use crate::kernels::norm_factors::{NormFactor, NormFactors};
use crate::kernels::optimizer_step::OptimizerStep;
use crate::kernels::{Kernel, Parameters};
use crate::network::{Network, Tensor};

/// The first block and the number of blocks of each tensor.
pub fn block_groups<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Vec<u32> {
    tensors
        .into_iter()
        .flat_map(|tensor| [(tensor.offset / BLOCK) as u32, tensor.length.div_ceil(BLOCK) as u32])
        .collect()
}

impl Clip {
    /// The groups whose norms are taken: the first block and the number of blocks of each. The heads of
    /// one network have one norm: these are its ranges, those of what is shared first.
    pub fn groups(self, network: &Network) -> Vec<u32> {
        match self {
            Self::Value => Vec::new(),
            Self::Norm => block_groups(&network.tensors()),
            Self::GlobalNorm if network.heads > 1 => {
                let (shared, own): (Vec<Tensor>, Vec<Tensor>) =
                    network.tensors().into_iter().partition(|tensor| tensor.is_shared);
                block_groups(shared.iter().chain(&own))
            }
            Self::GlobalNorm => vec![0, (network.stride / BLOCK) as u32],
        }
    }

    /// Whether the heads of a network have one norm.
    fn is_joint(self, network: &Network) -> bool {
        self == Self::GlobalNorm && network.heads > 1
    }
}

impl Builder<'_> {
    pub(super) fn add_clip_buffers(&mut self) {
        let Some(update) = &self.request.update else { return };
        let groups = update.clip.map_or(Vec::new(), |clip| clip.groups(self.request.network));
        let members = self.plan.members;
        if !groups.is_empty() {
            self.plan.add("clip_groups", Contents::Words, groups.len());
        }
        let is_joint = update.clip.is_some_and(|clip| clip.is_joint(self.request.network));
        let factors = if is_joint { 1 } else { (groups.len() / 2).max(1) };
        self.plan.add("clip_factors", Contents::Reals, members * factors);
    }

    pub(super) fn update(&self, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let Some(update) = &self.request.update else { return Ok(Vec::new()) };
        let mut calls = Vec::new();
        if self.request.gradient_statistics || update.clip.is_some() {
            calls.push(self.gradient_statistics(buffers)?);
        }
        // The matrices that are orthogonalised need their L1 and L2 terms before that.
        let clips = update.clip.is_some() || update.orthogonalization.is_some();
        if clips {
            calls.extend(self.clip(update, buffers)?);
        }
        if let Some(orthogonalization) = &update.orthogonalization {
            calls.extend(self.orthogonalize(update, orthogonalization, buffers)?);
        }
        calls.push(self.optimizer_step(update, !clips, buffers)?);
        calls.extend(self.after_update(update, buffers)?);
        Ok(calls)
    }

    /// The calls that follow the optimizer's step.
    pub(super) fn after_update(&self, update: &Update, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let mut calls = self.max_norms(update, buffers)?;
        if update.average {
            calls.push(self.average_parameters(buffers)?);
        }
        Ok(calls)
    }

    /// The tables that all kernels read.
    pub(super) fn tables(&self, buffers: &PassBuffers) -> [(&'static str, BufferId); 2] {
        [("steps", buffers.steps), ("state", buffers.state)]
    }

    fn gradient_statistics(&self, buffers: &PassBuffers) -> Result<Call> {
        let blocks = self.request.network.stride / BLOCK;
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("parameters", self.parameters),
            ("gradients", self.plan.buffer("gradients")?),
            ("block_settings", self.plan.buffer("block_settings")?),
            ("partials", self.partials),
        ]);
        Ok(Call {
            kernel: Kernel::GradientStatistics,
            subject: "gradients".to_owned(),
            variants: Variants::default(),
            parameters: Parameters::GradientStatistics(GradientStatistics {
                members: word("members", self.plan.members)?,
                blocks: word("blocks", blocks)?,
                ..GradientStatistics::default()
            }),
            bindings,
            extent: self.extent(blocks, 1)?,
        })
    }

    /// The factor of each group's norm.
    pub(super) fn norm_factors(
        &self,
        buffers: &PassBuffers,
        [partials, groups, factors]: [BufferId; 3],
        form: NormFactor,
        epsilon: f64,
    ) -> Result<Call> {
        let ranges = self.plan.buffers[groups.0].words as usize / 2;
        let network = self.request.network;
        let clips = matches!(form, NormFactor::TorchClip | NormFactor::KerasClip);
        let clip = self.request.update.and_then(|update| update.clip).filter(|_| clips);
        let is_joint = clip.is_some_and(|clip| clip.is_joint(network));
        let shared = network.tensors().iter().filter(|tensor| tensor.is_shared).count();
        let (count, heads) = if is_joint { (1, network.heads) } else { (ranges, 1) };
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([("partials", partials), ("groups", groups), ("factors", factors)]);
        Ok(Call {
            kernel: Kernel::NormFactors,
            subject: self.plan.buffers[groups.0].name.clone(),
            variants: Variants { numbers: [epsilon, 0.0], ..Variants::default() },
            parameters: Parameters::NormFactors(NormFactors {
                members: word("members", self.plan.members)?,
                groups: word("groups", count)?,
                blocks: word("blocks", self.request.network.stride / BLOCK)?,
                form: form as u32,
                epsilon: epsilon as f32,
                heads: word("heads", heads)?,
                ranges: word("ranges", ranges)?,
                shared_ranges: word("ranges", shared)?,
            }),
            bindings,
            extent: match heads {
                1 => self.extent(count, 1)?,
                _ => self.extent_of_networks(count)?,
            },
        })
    }

    fn clip(&self, update: &Update, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let network = self.request.network;
        let factors = self.plan.buffer("clip_factors")?;
        let mut calls = Vec::new();
        let mut groups = 0;
        if matches!(update.clip, Some(Clip::Norm | Clip::GlobalNorm)) {
            let table = self.plan.buffer("clip_groups")?;
            let form =
                if update.form.keras { NormFactor::KerasClip } else { NormFactor::TorchClip };
            groups = match update.clip {
                Some(clip) if clip.is_joint(network) => 1,
                _ => self.plan.buffers[table.0].words as usize / 2,
            };
            calls.push(self.norm_factors(buffers, [self.partials, table, factors], form, 0.0)?);
        }
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("parameters", self.parameters),
            ("block_settings", self.plan.buffer("block_settings")?),
            ("factors", factors),
            ("gradients", self.plan.buffer("gradients")?),
        ]);
        calls.push(Call {
            kernel: Kernel::ClipGradients,
            subject: "gradients".to_owned(),
            variants: Variants::default(),
            parameters: Parameters::ClipGradients(ClipGradients {
                members: word("members", self.plan.members)?,
                quads: word("parameters", network.stride / 4)?,
                groups: word("groups", groups)?,
                ..ClipGradients::default()
            }),
            bindings,
            extent: self.extent(network.stride / 4, 1)?,
        });
        Ok(calls)
    }

    pub(super) fn optimizer_step(
        &self,
        update: &Update,
        penalties: bool,
        buffers: &PassBuffers,
    ) -> Result<Call> {
        let quads = self.request.network.stride / 4;
        let gradients = if self.split.is_some() { "partial_gradients" } else { "gradients" };
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("parameters", self.parameters),
            ("gradients", self.plan.buffer(gradients)?),
            ("block_settings", self.plan.buffer("block_settings")?),
        ]);
        for name in ["moment0", "moment1", "moment2"] {
            bindings.push((name, self.plan.buffer(name)?));
        }
        Ok(Call {
            kernel: Kernel::OptimizerStep,
            subject: update.row.name.to_owned(),
            variants: Variants {
                optimizer: Some((update.row, update.form)),
                by_block: update.by_block,
                ..Variants::default()
            },
            parameters: Parameters::OptimizerStep(OptimizerStep {
                members: word("members", self.plan.members)?,
                quads: word("parameters", quads)?,
                penalties: u32::from(penalties),
                part_rows: word("rows", self.split.map_or(0, |split| split.rows))?,
            }),
            bindings,
            extent: self.extent(quads, 1)?,
        })
    }

    fn max_norms(&self, update: &Update, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let network = self.request.network;
        let mut calls = Vec::new();
        for (i, layer) in network.layers.iter().enumerate() {
            let Some(maximum) = layer.shape.max_norm else { continue };
            let mut bindings = self.tables(buffers).to_vec();
            bindings.push(("parameters", self.parameters));
            calls.push(Call {
                kernel: Kernel::MaxNorm,
                subject: format!("layers.{i}"),
                variants: Variants { numbers: [maximum, 0.0], ..Variants::default() },
                parameters: Parameters::MaxNorm(MaxNorm {
                    members: word("members", self.plan.members)?,
                    inputs: word("inputs", layer.inputs)?,
                    units: word("units", layer.units)?,
                    parameter_stride: word("parameters", network.stride)?,
                    weight_offset: word("parameters", layer.offsets.weight)?,
                    keras: u32::from(update.form.keras),
                    maximum: maximum as f32,
                    ..MaxNorm::default()
                }),
                bindings,
                extent: self.extent(layer.units, 1)?,
            });
        }
        Ok(calls)
    }

    fn average_parameters(&self, buffers: &PassBuffers) -> Result<Call> {
        let quads = self.request.network.stride / 4;
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("parameters", self.parameters),
            ("block_settings", self.plan.buffer("block_settings")?),
            ("average", self.plan.buffer("average_parameters")?),
        ]);
        Ok(Call {
            kernel: Kernel::AverageParameters,
            subject: "parameters".to_owned(),
            variants: Variants::default(),
            parameters: Parameters::AverageParameters(AverageParameters {
                members: word("members", self.plan.members)?,
                quads: word("parameters", quads)?,
                ..AverageParameters::default()
            }),
            bindings,
            extent: self.extent(quads, 1)?,
        })
    }
}
