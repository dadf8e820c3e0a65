//! One training on its way: what is uploaded once, what an epoch queues and reads back, and what
//! is decided between two epochs.

use std::sync::Arc;
use std::time::Instant;

use super::{
    DeviceSet, EarlyStopping, EpochRecord, Feed, LayerInitializers, Observer, Outcome, Pace,
    Scorer, Scores, StepRecord, StopReason, draw, epoch_order, evaluation_batch, network_of,
    terms_of,
};
use crate::backend::{Backend, Counters, Executor};
use crate::config::{Quantity, Settings, TaskSettings};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::kernels::gradient_statistics::BLOCK;
use crate::network::Network;
use crate::program::{BufferId, LayerSettings, MemberState, NONE, PassKind, Plan, PlanRequest};
use crate::random::{Purpose, stream_key};

/// `bad_step` of a member that the host has stopped; steps count from 1.
pub(super) const STOPPED_BY_HOST: u32 = 0;

/// A training on its way.
pub(super) struct Run<'a> {
    pub(super) settings: &'a Settings,
    pub(super) task: &'a TaskSettings,
    pub(super) network: Network,
    pub(super) plan: Plan,
    pub(super) executor: Box<dyn Executor>,
    /// The training pass.
    pub(super) train: Feed,
    /// Evaluation passes, validation first if there is one.
    pub(super) evaluations: Vec<Feed>,
    pub(super) has_validation: bool,
    pub(super) scorer: Scorer,
    pub(super) parameters: BufferId,
    pub(super) best_parameters: BufferId,
    pub(super) early_stopping: Vec<EarlyStopping>,
    /// Each member's state at the end of the epoch before.
    pub(super) states: Vec<MemberState>,
    pub(super) best_epoch: Vec<usize>,
    pub(super) epochs: usize,
    pub(super) stop_reason: StopReason,
    pub(super) seconds: f64,
    pub(super) samples: f64,
    pub(super) failure: Option<Error>,
    pub(super) counters_at_start: Counters,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        task: &'a TaskSettings,
        dataset: Dataset,
        backend: &dyn Backend,
    ) -> Result<Self> {
        let members = settings.members;
        let preprocessing = &dataset.preprocessing;
        let network = network_of(settings, preprocessing)?;
        let (inputs, width) = (preprocessing.inputs(), preprocessing.target_width());
        let batch = settings.training.batch_size.min(dataset.train.rows);
        let evaluated = evaluation_batch(members, batch);
        let capacity = backend.capacity();
        let largest = evaluated.max(batch.saturating_mul(members));
        let set = |name: &str, rows| {
            Arc::new(DeviceSet::new(name, rows, inputs, width, capacity, largest))
        };
        let scale = preprocessing.target_scale().iter().map(|(_, deviation)| *deviation).collect();
        let scorer = Scorer::new(&task.metrics, network.outputs(), scale);

        let train_set = set("train", dataset.train);
        let drop_last = settings.training.drop_last;
        let train = Feed::new(&train_set, PassKind::Train, batch, drop_last, members);
        let evaluate =
            |set: &Arc<DeviceSet>| Feed::new(set, PassKind::Evaluate, evaluated, false, members);
        let has_validation = dataset.validation.is_some();
        let mut evaluations = Vec::new();
        if let Some(rows) = dataset.validation {
            evaluations.push(evaluate(&set("validation", rows)));
        }
        evaluations.push(evaluate(&train_set));
        if let Some(rows) = dataset.test {
            evaluations.push(evaluate(&set("test", rows)));
        }

        let plan = Plan::new(&PlanRequest {
            network: &network,
            loss: task.loss,
            terms: terms_of(&task.metrics),
            target_width: width,
            optimizer: Some((settings.optimizer.row, settings.optimizer.form)),
            gradient_statistics: settings.log_every_steps > 0,
            passes: std::iter::once(&train).chain(&evaluations).map(Feed::pass).collect(),
        })?;
        let mut run = Self {
            settings,
            task,
            parameters: plan.buffer("parameters")?,
            best_parameters: plan.buffer("best_parameters")?,
            executor: backend.load(&plan)?,
            network,
            plan,
            train,
            evaluations,
            has_validation,
            scorer,
            early_stopping: Vec::new(),
            states: vec![MemberState::START; members],
            best_epoch: vec![0; members],
            epochs: 0,
            stop_reason: StopReason::Epochs,
            seconds: 0.0,
            samples: 0.0,
            failure: None,
            counters_at_start: Counters::default(),
        };
        if let (Some(monitor), Some(stopping)) = (&task.monitor, &settings.early_stopping) {
            run.early_stopping = vec![EarlyStopping::new(stopping, monitor.better); members];
        }
        run.upload()?;
        Ok(run)
    }

    /// Everything that is uploaded once.
    fn upload(&mut self) -> Result<()> {
        let executor = self.executor.as_mut();
        self.train.prepare(&self.plan, executor)?;
        for pass in &mut self.evaluations {
            pass.prepare(&self.plan, executor)?;
        }
        if !self.settings.data.shuffle {
            // File order never changes.
            let rows = self.train.set.rows as u32;
            let order = epoch_order(0, 0, 0, rows, false);
            if self.train.set.is_resident() {
                let order_buffer = self.plan.buffer("train.train.order")?;
                executor.write_words(order_buffer, &order.repeat(self.settings.members))?;
            }
        }
        let arena = starting_arena(self.settings, &self.network)?;
        let wide: Vec<f64> = arena.iter().map(|w| f64::from(*w)).collect();
        executor.write_reals(self.parameters, &wide)?;
        let layers = self.layer_table();
        self.executor.write_layers(self.plan.buffer("layers")?, &layers)?;
        let blocks = self.block_settings();
        self.executor.write_reals(self.plan.buffer("block_settings")?, &blocks)
    }

    /// Dropout of each layer of each member: `[members][layers]`.
    fn layer_table(&self) -> Vec<LayerSettings> {
        (0..self.network.members)
            .flat_map(|member| {
                self.network.layers.iter().enumerate().map(move |(i, layer)| {
                    let key =
                        stream_key(self.settings.seed, Purpose::Dropout, i as u32, member as u32);
                    LayerSettings::dropout(layer.dropout, key)
                })
            })
            .collect()
    }

    /// L1, L2, decay factor and learning-rate factor of each block of 64 parameters.
    fn block_settings(&self) -> Vec<f64> {
        let mut one = vec![0.0; self.network.stride / BLOCK * 4];
        let optimizer = &self.settings.optimizer;
        for tensor in self.network.tensors() {
            let layer = self.settings.model.layers.get(tensor.layer);
            let (l1, l2) = match layer {
                Some(layer) => (layer.l1, layer.l2),
                None => (self.settings.model.output.l1, self.settings.model.output.l2),
            };
            let regularised = f64::from(u8::from(!tensor.is_bias));
            let decayed = !tensor.is_bias || optimizer.decay_biases;
            let first = tensor.offset / BLOCK;
            let last = (tensor.offset + tensor.length).div_ceil(BLOCK);
            for block in first..last {
                one[block * 4..block * 4 + 4].copy_from_slice(&[
                    l1 * regularised,
                    self.settings.l2_gradient_coefficient(l2) * regularised,
                    f64::from(u8::from(decayed)),
                    1.0,
                ]);
            }
        }
        one.repeat(self.network.members)
    }

    pub(super) fn train(&mut self, observer: &mut dyn Observer) -> Result<()> {
        self.counters_at_start = self.executor.counters();
        let begun = Instant::now();
        let epoch_steps = self.train.batches.steps();
        for epoch in 1..=self.settings.training.epochs {
            let at = Instant::now();
            self.epochs = epoch;
            let interrupted = self.queue_epoch(epoch, observer)?;
            let read = self.read_epoch()?;
            let previous = std::mem::replace(&mut self.states, read.states);
            self.seconds = begun.elapsed().as_secs_f64();

            // A member that stopped before this epoch has nothing new to say.
            let trained: Vec<bool> = previous.iter().map(|s| s.bad_step == NONE).collect();
            let rows: f64 = self
                .states
                .iter()
                .zip(&trained)
                .filter(|(_, trained)| **trained)
                .map(|(state, _)| {
                    (state.cursor as usize * self.train.batches.batch)
                        .min(self.train.batches.covered()) as f64
                })
                .sum();
            self.samples += rows;
            self.report_steps(epoch, &read.train, observer)?;
            self.check_finite(epoch, &trained, observer)?;
            if self.failure.is_some() {
                self.stop_reason = StopReason::Diverged;
                break;
            }
            if interrupted {
                self.stop_reason = StopReason::Interrupted;
                if !self.keeps_best() {
                    // The weights are those of the step that was finished last.
                    self.best_epoch.fill(epoch);
                }
                break;
            }
            let mut record = EpochRecord {
                epoch,
                step: (epoch * epoch_steps) as u64,
                seconds: self.seconds,
                samples_per_second: rows / at.elapsed().as_secs_f64(),
                learning_rate: self.pace().learning_rate((epoch * epoch_steps - 1) as u64),
                train: self.scorer.scores(
                    &read.train,
                    self.plan.log_width,
                    self.network.members,
                    &self.train.batches,
                    &self.train.set,
                ),
                validation: read.validation,
                best: vec![false; self.network.members],
            };
            for (member, scores) in record.train.iter_mut().enumerate() {
                let state = self.states[member].bad_step;
                if !trained[member] || (state != NONE && state != STOPPED_BY_HOST) {
                    scores.forget();
                }
            }
            self.decide(epoch, &trained, &mut record)?;
            observer.epoch(&record)?;
            if self.states.iter().all(|state| state.bad_step != NONE) {
                let stopped = self.states.iter().any(|state| state.bad_step == STOPPED_BY_HOST);
                self.stop_reason =
                    if stopped { StopReason::EarlyStopping } else { StopReason::Diverged };
                break;
            }
        }
        Ok(())
    }

    fn pace(&self) -> Pace<'_> {
        Pace {
            hyperparameters: self.settings.optimizer.hyperparameters,
            schedule: &self.settings.schedule,
            epoch_steps: self.train.batches.steps(),
            epochs: self.settings.training.epochs,
        }
    }

    /// Queues an epoch's training and validation; returns whether it was interrupted.
    fn queue_epoch(&mut self, epoch: usize, observer: &dyn Observer) -> Result<bool> {
        let members = self.network.members;
        let table = self.pace().training_table(&self.train.batches, epoch, members);
        let rows = self.train.set.rows as u32;
        let shuffle = self.settings.data.shuffle;
        let orders: Vec<Vec<u32>> = if shuffle || !self.train.set.is_resident() {
            (0..members)
                .map(|member| epoch_order(self.settings.seed, epoch, member, rows, shuffle))
                .collect()
        } else {
            Vec::new()
        };
        let executor = self.executor.as_mut();
        self.train.write_steps(executor, &table)?;
        let start: Vec<MemberState> =
            self.states.iter().map(|state| MemberState { cursor: 0, ..*state }).collect();
        executor.write_state(self.train.state()?, &start)?;
        if self.train.run(executor, &orders, &|| observer.interrupted())? {
            return Ok(true);
        }
        if self.has_validation {
            let pass = &self.evaluations[0];
            executor.write_state(pass.state()?, &vec![MemberState::START; members])?;
            pass.run(executor, &[], &|| false)?;
        }
        Ok(false)
    }

    /// The epoch's one readback.
    fn read_epoch(&mut self) -> Result<EpochRead> {
        let members = self.network.members;
        let train_log = self.train.batches.steps() * members * self.plan.log_width;
        let mut wanted = vec![(self.train.log()?, train_log), (self.train.state()?, members)];
        if self.has_validation {
            let steps = self.evaluations[0].batches.steps();
            wanted.push((self.evaluations[0].log()?, steps * members * self.plan.statistics));
        }
        let mut read = self.executor.read(&wanted)?.into_iter();
        let train = read.next().map(|read| read.into_reals()).unwrap_or_default();
        let states = read.next().map(|read| read.into_state()).unwrap_or_default();
        let validation = read.next().map(|log| self.score(&self.evaluations[0], &log.into_reals()));
        Ok(EpochRead { train, states, validation })
    }

    fn score(&self, pass: &Feed, log: &[f64]) -> Vec<Scores> {
        let width = self.plan.statistics;
        self.scorer.scores(log, width, self.network.members, &pass.batches, &pass.set)
    }

    fn report_steps(&self, epoch: usize, log: &[f64], observer: &mut dyn Observer) -> Result<()> {
        let every = self.settings.log_every_steps;
        if every == 0 {
            return Ok(());
        }
        let members = self.network.members;
        let batches = &self.train.batches;
        let reached = self.states.iter().map(|state| state.cursor as usize).max().unwrap_or(0);
        let before = (epoch - 1) * batches.steps();
        for within in 0..reached.min(batches.steps()) {
            let step = before + within + 1;
            if !step.is_multiple_of(every) {
                continue;
            }
            let rows = batches.batch.min(batches.rows - within * batches.batch) as f64;
            let column = |at: usize| -> Vec<f64> {
                (0..members)
                    .map(|member| log[(within * members + member) * self.plan.log_width + at])
                    .collect()
            };
            observer.step(&StepRecord {
                step: step as u64,
                epoch,
                learning_rate: self.pace().learning_rate(step as u64 - 1),
                loss: column(0).into_iter().map(|sum| sum / rows).collect(),
                grad_norm: column(self.plan.statistics).into_iter().map(f64::sqrt).collect(),
                penalty: column(self.plan.statistics + 1),
            })?;
        }
        Ok(())
    }

    /// Early stopping: which members keep this epoch's weights, and which stop.
    fn decide(&mut self, epoch: usize, trained: &[bool], record: &mut EpochRecord) -> Result<()> {
        let stride = self.network.stride;
        for member in 0..self.network.members {
            if !trained[member] {
                continue;
            }
            let Some(monitor) = &self.task.monitor else {
                self.best_epoch[member] = epoch;
                continue;
            };
            let scores = if monitor.of_validation {
                record.validation.as_ref().map(|all| &all[member])
            } else {
                Some(&record.train[member])
            };
            // A member that met a number that is not finite has no score of its own.
            let finite = self.states[member].bad_step == NONE;
            let value =
                scores.filter(|_| finite).map_or(f64::NAN, |scores| match monitor.quantity {
                    Quantity::Loss => scores.loss,
                    Quantity::Metric(index) => scores.metrics[index].1,
                });
            let restores = self.keeps_best();
            let verdict = self.early_stopping[member].end_epoch(epoch, value);
            record.best[member] = verdict.keep;
            if verdict.keep && restores {
                let (from, to) = (self.parameters, self.best_parameters);
                self.executor.copy(from, to, member * stride, stride)?;
            }
            self.best_epoch[member] = match self.early_stopping[member].best_epoch() {
                Some(best) if restores => best,
                _ => epoch,
            };
            if verdict.stop && finite {
                self.states[member].bad_step = STOPPED_BY_HOST;
            }
        }
        Ok(())
    }

    /// Puts the kept weights in place, scores them on every set and reads them back.
    pub(super) fn finish(mut self) -> Result<Outcome> {
        let counters = self.executor.counters();
        let (members, stride) = (self.network.members, self.network.stride);
        let restores = self.keeps_best();
        for member in 0..members {
            if restores && self.early_stopping[member].best_epoch().is_some() {
                let (from, to) = (self.best_parameters, self.parameters);
                self.executor.copy(from, to, member * stride, stride)?;
            }
        }
        let mut wanted = Vec::new();
        for pass in &self.evaluations {
            let executor = self.executor.as_mut();
            executor.write_state(pass.state()?, &vec![MemberState::START; members])?;
            pass.run(executor, &[], &|| false)?;
            wanted.push((pass.log()?, pass.batches.steps() * members * self.plan.statistics));
        }
        wanted.push((self.parameters, members * stride));
        let mut read = self.executor.read(&wanted)?;
        let parameters = read.pop().map(|read| read.into_reals()).unwrap_or_default();
        let mut scores: Vec<(String, Vec<Scores>)> = self
            .evaluations
            .iter()
            .zip(read)
            .map(|(pass, log)| (pass.set.name.clone(), self.score(pass, &log.into_reals())))
            .collect();
        if self.has_validation {
            scores.swap(0, 1);
        }
        Ok(Outcome {
            parameters: parameters.into_iter().map(|w| w as f32).collect(),
            scores,
            best_epoch: self.best_epoch,
            epochs: self.epochs,
            stop_reason: self.stop_reason,
            seconds: self.seconds,
            samples_per_second: self.samples / self.seconds.max(1e-9),
            counters,
            counters_at_start: self.counters_at_start,
            failure: self.failure,
            network: self.network,
        })
    }
}

/// What an epoch's readback brought.
struct EpochRead {
    train: Vec<f64>,
    states: Vec<MemberState>,
    validation: Option<Vec<Scores>>,
}

/// The starting weights: drawn, then overlaid by `model.init_from`.
fn starting_arena(settings: &Settings, network: &Network) -> Result<Vec<f32>> {
    let mut initializers: Vec<LayerInitializers> = settings
        .model
        .layers
        .iter()
        .map(|layer| LayerInitializers { weight: layer.init, bias: layer.bias_init })
        .collect();
    let output = &settings.model.output;
    initializers.push(LayerInitializers { weight: output.init, bias: output.bias_init });
    let mut arena = draw(network, &initializers, settings.seed);
    if let Some(file) = &settings.model.init_from {
        crate::model::read_weights(file, network, &mut arena)?;
    }
    Ok(arena)
}
