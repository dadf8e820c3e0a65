//! The loop: epochs, validation, early stopping, the best weights kept on the device.
//!
//! An epoch is a training pass and a validation pass, queued one after the other, and one
//! readback of their logs; the host decides between epochs alone.

mod divergence;
mod early_stopping;
mod feed;
mod order;
mod scores;
mod starting_weights;
mod steps;

use std::sync::Arc;
use std::time::Instant;

pub use early_stopping::{EarlyStopping, Verdict};
pub use feed::{DeviceSet, Feed};
pub use order::epoch_order;
pub use scores::{Scorer, Scores, terms_of};
pub use starting_weights::{LayerInitializers, draw};
pub use steps::{Batches, Pace};

use crate::backend::{Backend, Counters, Executor};
use crate::config::{Quantity, Settings, TaskSettings};
use crate::data::{Dataset, Preprocessing};
use crate::error::{Error, Result};
use crate::kernels::gradient_statistics::BLOCK;
use crate::network::{LayerShape, Network};
use crate::program::{BufferId, LayerSettings, MemberState, NONE, PassKind, Plan, PlanRequest};
use crate::random::{Purpose, stream_key};

/// `bad_step` of a member that the host has stopped; steps count from 1.
const STOPPED_BY_HOST: u32 = 0;

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All epochs are done.
    Epochs,
    /// Early stopping said so.
    EarlyStopping,
    /// The user interrupted it.
    Interrupted,
    /// Every member that was still training met a number that is not finite.
    Diverged,
}

/// One step, for each member.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Step since the start of training, from 1.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// The batch's mean loss before the step's update, without regularisation.
    pub loss: Vec<f64>,
    /// Norm of the gradient, L1 and L2 terms included.
    pub grad_norm: Vec<f64>,
    /// Regularisation terms before the step's update.
    pub penalty: Vec<f64>,
}

/// One epoch, for each member.
#[derive(Debug, Clone)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps since the start of training.
    pub step: u64,
    /// Seconds since the start of training.
    pub seconds: f64,
    /// Rows trained on in a second of this epoch, all members counted.
    pub samples_per_second: f64,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Scores on the training rows, of the weights as they were at each step.
    pub train: Vec<Scores>,
    /// Scores on the validation rows at the epoch's end.
    pub validation: Option<Vec<Scores>>,
    /// Members whose weights of this epoch are the best so far.
    pub best: Vec<bool>,
}

/// Is told how training goes.
pub trait Observer {
    /// What will be trained, before the first step.
    fn begin(&mut self, _network: &Network, _epochs: usize, _epoch_steps: usize) -> Result<()> {
        Ok(())
    }
    /// A step that is logged (`log.every_steps`).
    fn step(&mut self, _record: &StepRecord) -> Result<()> {
        Ok(())
    }
    /// An epoch.
    fn epoch(&mut self, _record: &EpochRecord) -> Result<()> {
        Ok(())
    }
    /// A word of warning.
    fn warn(&mut self, _text: &str) -> Result<()> {
        Ok(())
    }
    /// Whether training should end after this step.
    fn interrupted(&self) -> bool {
        false
    }
}

/// An observer that does nothing.
#[derive(Debug, Default)]
pub struct Silent;
impl Observer for Silent {}

/// What came of a training.
#[derive(Debug)]
pub struct Outcome {
    /// The network.
    pub network: Network,
    /// The weights kept, `[members][stride]`.
    pub parameters: Vec<f32>,
    /// Scores of the weights kept, by set: `train`, and `validation` and `test` where there are any.
    pub scores: Vec<(String, Vec<Scores>)>,
    /// The epoch whose weights are kept, for each member.
    pub best_epoch: Vec<usize>,
    /// Epochs begun.
    pub epochs: usize,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// Seconds of training alone.
    pub seconds: f64,
    /// Rows trained on in a second, all members counted.
    pub samples_per_second: f64,
    /// What the backend made and ran, at the end of training.
    pub counters: Counters,
    /// The same after the first epoch.
    pub counters_after_first_epoch: Counters,
    /// What ended the training of a single network that diverged after an epoch whose weights
    /// are kept.
    pub failure: Option<Error>,
}

/// The network that the settings and the data ask for.
///
/// # Errors
/// When it is too large to be addressed.
pub fn network_of(settings: &Settings, preprocessing: &Preprocessing) -> Result<Network> {
    let hidden: Vec<LayerShape> = settings
        .model
        .layers
        .iter()
        .map(|layer| LayerShape {
            units: layer.units,
            activation: layer.activation,
            dropout: layer.dropout,
        })
        .collect();
    Network::new(settings.members, preprocessing.inputs(), &hidden, preprocessing.outputs())
}

/// Rows of an evaluation batch: large enough to keep a device busy, small enough to stay small.
pub fn evaluation_batch(members: usize, training_batch: usize) -> usize {
    (8192 / members).clamp(64, 1024).max(training_batch)
}

/// Trains. The dataset's rows are moved to the device.
///
/// # Errors
/// A network that does not fit the device, starting weights that do not fit the network, a
/// device that fails, a single network that diverges, or an observer's error.
pub fn fit(
    settings: &Settings,
    task: &TaskSettings,
    dataset: Dataset,
    backend: &dyn Backend,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let mut run = Run::new(settings, task, dataset, backend)?;
    observer.begin(&run.network, settings.training.epochs, run.train.batches.steps())?;
    run.train(observer)?;
    run.finish()
}

/// A training on its way.
struct Run<'a> {
    settings: &'a Settings,
    task: &'a TaskSettings,
    network: Network,
    plan: Plan,
    executor: Box<dyn Executor>,
    /// The training pass.
    train: Feed,
    /// Evaluation passes, validation first if there is one.
    evaluations: Vec<Feed>,
    has_validation: bool,
    scorer: Scorer,
    parameters: BufferId,
    best_parameters: BufferId,
    early_stopping: Vec<EarlyStopping>,
    /// Each member's state at the end of the epoch before.
    states: Vec<MemberState>,
    best_epoch: Vec<usize>,
    epochs: usize,
    stop_reason: StopReason,
    seconds: f64,
    samples: f64,
    failure: Option<Error>,
    counters_after_first_epoch: Counters,
}

impl<'a> Run<'a> {
    fn new(
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
        let largest = evaluated.max(batch * members);
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
            counters_after_first_epoch: Counters::default(),
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

    fn train(&mut self, observer: &mut dyn Observer) -> Result<()> {
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
            if epoch == 1 {
                self.counters_after_first_epoch = self.executor.counters();
            }
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
    fn finish(mut self) -> Result<Outcome> {
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
            counters_after_first_epoch: self.counters_after_first_epoch,
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
