//! What a training step is given and what it carries on, apart from any device: so that another
//! executor can take the very same step.

use std::sync::Arc;

use crate::backend::Executor;
use crate::error::Result;
use crate::program::{
    BufferId, Contents, LayerSettings, LossScale, MemberState, Plan, StepSettings,
};

/// The name of the only pass of a plan of one batch.
pub(super) const SET: &str = "train";

/// One batch of every member, apart from its data set.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Batches since the start of training, from 1.
    pub number: u64,
    /// Rows of each member.
    pub rows: usize,
    /// `[members][rows][inputs]`.
    pub features: Arc<[f32]>,
    /// `[members][rows][target stride]`.
    pub targets: Arc<[f32]>,
    /// What each member's step is told, as a device reads it: every number is one of f32.
    pub settings: Vec<StepSettings<f64>>,
    /// What each member's summed loss is divided by.
    pub divisors: Vec<f64>,
    /// Whether it is the last of its epoch.
    pub ends_epoch: bool,
}

/// What a training carries from one batch to the next: weights with running statistics, moments,
/// their running average, and gradients where several batches make a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// The arenas, in the order of [`carried_buffers`].
    pub reals: Vec<Vec<f64>>,
    /// Each member's loss scale, in plans of f16.
    pub scales: Vec<LossScale>,
}

/// What is uploaded once, whatever the batch.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(super) layers: Vec<LayerSettings>,
    pub(super) blocks: Vec<f64>,
    pub(super) groups: Vec<(&'static str, Vec<u32>)>,
}

/// The buffers of [`Carried::reals`] in a plan, with their names.
pub fn carried_buffers(plan: &Plan, accumulates: bool) -> Vec<(&'static str, BufferId)> {
    let arena = plan.buffer("parameters").map_or(0, |id| plan.buffers[id.0].words);
    ["parameters", "moment0", "moment1", "moment2", "average_parameters", "gradients"]
        .into_iter()
        .filter(|name| *name != "gradients" || accumulates)
        .filter_map(|name| Some((name, plan.buffer(name).ok()?)))
        // A moment that an optimizer does not keep is a buffer of a few words.
        .filter(|(_, id)| plan.buffers[id.0].words == arena)
        .collect()
}

/// The buffer of the training pass's loss scales, in a plan of f16.
pub fn scales_buffer(plan: &Plan) -> Option<BufferId> {
    plan.buffers.iter().position(|buffer| buffer.contents == Contents::Scales).map(BufferId)
}

impl Tables {
    /// Uploads them to an executor of a plan by [`Stepper::plan_of_a_batch`](super::stepper::Stepper::plan_of_a_batch).
    ///
    /// # Errors
    /// Those of the executor.
    pub fn upload(&self, plan: &Plan, executor: &mut dyn Executor) -> Result<()> {
        executor.write_layers(plan.buffer("layers")?, &self.layers)?;
        executor.write_reals(plan.buffer("block_settings")?, &self.blocks)?;
        for (name, groups) in &self.groups {
            executor.write_words(plan.buffer(name)?, groups)?;
        }
        Ok(())
    }
}

impl Batch {
    /// Uploads it to an executor of a plan by [`Stepper::plan_of_a_batch`](super::stepper::Stepper::plan_of_a_batch), at the start of its
    /// step.
    ///
    /// # Errors
    /// Those of the executor.
    pub fn upload(&self, plan: &Plan, executor: &mut dyn Executor) -> Result<()> {
        let of_set = |name: &str| plan.buffer(&format!("{SET}.{name}"));
        let own = |name: &str| plan.buffer(&format!("train.{SET}.{name}"));
        executor.share_reals(of_set("features")?, &self.features)?;
        if !self.targets.is_empty() {
            executor.share_reals(of_set("targets")?, &self.targets)?;
        }
        let members = self.settings.len();
        let order = own("order")?;
        let stride = plan.buffers[order.0].words as usize / members;
        let mut places = vec![0; members * stride];
        for (member, own) in places.chunks_exact_mut(stride).enumerate() {
            for (row, place) in own.iter_mut().take(self.rows).enumerate() {
                *place = (member * self.rows + row) as u32;
            }
        }
        executor.write_words(order, &places)?;
        executor.write_steps(own("steps")?, &self.settings)?;
        executor.write_state(own("state")?, &vec![MemberState::START; members])
    }
}

impl Carried {
    /// Uploads it.
    ///
    /// # Errors
    /// Those of the executor.
    pub fn upload(
        &self,
        plan: &Plan,
        accumulates: bool,
        executor: &mut dyn Executor,
    ) -> Result<()> {
        for ((_, id), values) in carried_buffers(plan, accumulates).iter().zip(&self.reals) {
            executor.write_reals(*id, values)?;
        }
        match scales_buffer(plan) {
            Some(id) => executor.write_scales(id, &self.scales),
            None => Ok(()),
        }
    }
}

/// A number as f32 holds it.
pub(super) fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}

/// A step's settings as a device reads them, which has the table in f32; the batch is the first of
/// the rows that it is given.
pub(super) fn as_read(step: &StepSettings<f64>) -> StepSettings<f64> {
    StepSettings {
        first_row: 0,
        position: 0,
        share: rounded(step.share),
        learning_rate: rounded(step.learning_rate),
        weight_decay: rounded(step.weight_decay),
        clip: rounded(step.clip),
        epsilon: rounded(step.epsilon),
        beta1: rounded(step.beta1),
        beta2: rounded(step.beta2),
        momentum: rounded(step.momentum),
        dampening: rounded(step.dampening),
        rho: rounded(step.rho),
        average_rate: rounded(step.average_rate),
        coefficients: step.coefficients.map(rounded),
        loss: step.loss.map(rounded),
        ..*step
    }
}
