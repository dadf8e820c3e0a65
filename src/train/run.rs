//! One training on its way: what is uploaded once, what an epoch queues and reads back, and what
//! is decided between two epochs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ahead::{RunAhead, Snapshot};
use super::checkpoint::{Rhythm, Within};
use super::device_set::Fit;
use super::epoch::{PassRead, Queued};
use super::order::{EpochOrder, Shuffle};
use super::outputs::Interpreter;
use super::precision::check_precision;
use super::probe::{MOST_PARAMETERS, Probe};
use super::{
    DeviceSet, EarlyStopping, Feed, LayerInitializers, Observer, Outcome, Scorer, Scores, Shares,
    StopReason, WeightedRows, draw, evaluation_batch, network_of, terms_of,
};
use crate::backend::{Backend, Counters, Executor};
use crate::catalog::schedule::reduce_on_plateau::ReduceOnPlateau;
use crate::config::{Settings, TaskSettings};
use crate::data::{Dataset, Folds};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::program::{BufferId, Contents, MemberState, PassKind, Plan, PlanRequest};

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
    /// How its rows are shuffled.
    pub(super) shuffle: Shuffle,
    /// Evaluation passes, validation first if there is one.
    pub(super) evaluations: Vec<Feed>,
    pub(super) has_validation: bool,
    pub(super) scorer: Scorer,
    pub(super) interpreter: Interpreter,
    pub(super) parameters: BufferId,
    /// The weights that are evaluated and kept: the parameters, or their running average.
    pub(super) evaluated: BufferId,
    pub(super) best_parameters: BufferId,
    pub(super) early_stopping: Vec<EarlyStopping>,
    /// Each member's learning-rate factor by `reduce_on_plateau`; empty with another schedule.
    pub(super) plateaus: Vec<ReduceOnPlateau>,
    /// The optimizer's coefficients of the last step, of the members of each fold, or of all.
    pub(super) coefficients: Vec<[f64; 4]>,
    /// Those before the epoch that was prepared last.
    pub(super) coefficients_before: Vec<[f64; 4]>,
    pub(super) run_ahead: RunAhead,
    /// Whether the epoch after the one that is being judged is under way.
    pub(super) is_ahead: bool,
    pub(super) snapshots: Vec<Snapshot>,
    /// Whether the epoch that was judged last had members put back that the next one trained on.
    pub(super) has_rolled_back: bool,
    /// The weights before the last step of an epoch; none where the network is not looked at.
    pub(super) before_last_step: Option<BufferId>,
    pub(super) probe: Option<Probe>,
    /// Each member's scores on the validation rows in the epoch before.
    pub(super) validation: Vec<Scores>,
    /// Where the first epoch goes on that is queued after a checkpoint.
    pub(super) within: Option<Within>,
    /// Rows of that epoch that were trained on before the checkpoint.
    pub(super) rows_before: f64,
    /// Each member's state at the end of the epoch before.
    pub(super) states: Vec<MemberState>,
    pub(super) best_epoch: Vec<usize>,
    pub(super) epochs: usize,
    pub(super) stop_reason: StopReason,
    /// Seconds of training alone.
    pub(super) seconds: f64,
    /// Seconds that training paused for looks inside the network.
    pub(super) looking_seconds: f64,
    /// Seconds that training paused for checkpoints.
    pub(super) checkpoint_seconds: f64,
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
        run_ahead: RunAhead,
        observes: bool,
    ) -> Result<Self> {
        let members = settings.members;
        let preprocessing = &dataset.preprocessing;
        let network = network_of(settings, preprocessing)?;
        let (inputs, width) = (preprocessing.inputs(), preprocessing.target_width());
        let folds = dataset.folds.as_ref().map_or(1, Folds::count);
        let batch = settings.training.batch_size.min(dataset.train.rows);
        let evaluated = evaluation_batch(members, batch);
        let capacity = backend.capacity();
        let precision = settings.training.precision;
        check_precision(settings, &dataset, backend)?;
        let largest = evaluated.max(batch.saturating_mul(members));
        let shuffle = Shuffle::new(settings.data.shuffle, dataset.chunk_rows, batch);
        let fit = Fit { capacity, precision, largest_batch: largest, shuffle };
        let set = |name: &str, rows: WeightedRows| {
            let set = DeviceSet::new(name, rows, inputs, width, fit);
            set.map(Arc::new).map_err(|error| settings.locate(error))
        };
        let target_scale = preprocessing.target_scale();
        let deviations = target_scale.iter().map(|(_, deviation)| *deviation).collect();
        let scorer = Scorer::new(task.task, &task.metrics, width, deviations);
        let interpreter = Interpreter { task: task.task, loss: task.loss, target_scale };

        let convention = settings.optimizer.convention;
        let trained = WeightedRows::trained(dataset.train, &dataset.class_weights, convention);
        let train_set = set("train", trained)?;
        let drop_last = settings.training.drop_last;
        let collects = scorer.needs_outputs();
        let feed = |set: &Arc<DeviceSet>, kind, batch, drop_last| {
            Feed::new(set, kind, batch, drop_last, members).collecting(collects)
        };
        let train = feed(&train_set, PassKind::Train, batch, drop_last);
        let mut train = train.in_windows(train_set.window(shuffle));
        let evaluate = |set: &Arc<DeviceSet>| feed(set, PassKind::Evaluate, evaluated, false);
        let has_validation = dataset.validation.is_some() || dataset.folds.is_some();
        let mut evaluations = Vec::new();
        let mut of_train = evaluate(&train_set);
        if let Some(folds) = &dataset.folds {
            check_folds(&train_set)?;
            train = train.sharing("train", Shares::trained(folds));
            of_train = of_train.sharing("train", Shares::trained(folds));
            let validated = Shares::validated(folds);
            evaluations.push(evaluate(&train_set).sharing("validation", validated));
        }
        if let Some(rows) = dataset.validation {
            evaluations.push(evaluate(&set("validation", rows.into())?));
        }
        evaluations.push(of_train);
        if let Some(rows) = dataset.test {
            evaluations.push(evaluate(&set("test", rows.into())?));
        }

        let request = PlanRequest {
            network: &network,
            loss: task.loss,
            terms: terms_of(&task.metrics, task.task),
            target_width: width,
            update: Some(settings.update()),
            gradient_statistics: settings.log_every_steps > 0,
            fuses: capacity.fuses && settings.training.accumulate == 1 && !train.is_uneven(),
            precision,
            splits: capacity.splits,
            passes: std::iter::once(&train).chain(&evaluations).map(Feed::pass).collect(),
        };
        let mut plan = Plan::within(&request, capacity.buffer_bytes)?;
        let evaluated_name = match settings.training.average {
            Some(_) => "average_parameters",
            None => "parameters",
        };
        let plateaus = match (settings.schedule.plateau(), &task.plateau_monitor) {
            (Some(plateau), Some(monitor)) => {
                let base = settings.optimizer.hyperparameters.learning_rate;
                vec![ReduceOnPlateau::new(plateau, monitor.better, base); members]
            }
            _ => Vec::new(),
        };
        let (parameters, weights) = (plan.buffer("parameters")?, plan.buffer(evaluated_name)?);
        let run_ahead = match run_ahead {
            // The rate of the next epoch depends on the verdict.
            _ if !plateaus.is_empty() => RunAhead::Never,
            RunAhead::WhereItPays if !capacity.queues => RunAhead::Never,
            asked => asked,
        };
        let mut snapshots = Vec::new();
        if run_ahead != RunAhead::Never {
            snapshots.push(Snapshot::plan(&mut plan, parameters));
            if weights != parameters {
                snapshots.push(Snapshot::plan(&mut plan, weights));
            }
        }
        let observes =
            observes && settings.histograms_every > 0 && network.stride <= MOST_PARAMETERS;
        let before_last_step = observes.then(|| {
            let words = members * network.stride;
            plan.add("parameters.before_last_step", Contents::Reals, words)
        });
        let mut run = Self {
            settings,
            task,
            parameters,
            evaluated: weights,
            best_parameters: plan.buffer("best_parameters")?,
            executor: backend.load(&plan)?,
            network,
            plan,
            train,
            shuffle,
            evaluations,
            has_validation,
            scorer,
            interpreter,
            early_stopping: Vec::new(),
            plateaus,
            coefficients: vec![[1.0; 4]; folds],
            coefficients_before: vec![[1.0; 4]; folds],
            run_ahead,
            is_ahead: false,
            snapshots,
            has_rolled_back: false,
            before_last_step,
            probe: None,
            validation: Vec::new(),
            within: None,
            rows_before: 0.0,
            states: vec![MemberState::START; members],
            best_epoch: vec![0; members],
            epochs: 0,
            stop_reason: StopReason::Epochs,
            seconds: 0.0,
            looking_seconds: 0.0,
            checkpoint_seconds: 0.0,
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
        if self.shuffle == Shuffle::Never && self.train.set.is_resident() {
            // File order never changes.
            let (rows, members) = (self.train.set.rows, self.settings.members);
            let all = || EpochOrder::new(Shuffle::Never, 0, 1, rows, members, true);
            let order = self.train.fixed_order().unwrap_or_else(all);
            self.train.write_orders(executor, order.held())?;
        }
        let arena = starting_arena(self.settings, &self.network)?;
        let wide: Vec<f64> = arena.iter().map(|w| f64::from(*w)).collect();
        executor.write_reals(self.parameters, &wide)?;
        if self.evaluated != self.parameters {
            executor.write_reals(self.evaluated, &wide)?;
        }
        let layers = self.layer_table();
        self.executor.write_layers(self.plan.buffer("layers")?, &layers)?;
        self.write_loss_scales()?;
        let blocks = self.block_settings();
        self.executor.write_reals(self.plan.buffer("block_settings")?, &blocks)?;
        self.upload_optimizer()
    }

    pub(super) fn train(&mut self, observer: &mut dyn Observer) -> Result<()> {
        self.counters_at_start = self.executor.counters();
        let epochs = self.settings.training.epochs;
        if self.has_ended(epochs) {
            return Ok(());
        }
        let asked = self.settings.checkpoint.filter(|_| observer.keeps_checkpoints());
        let mut pace = asked.map(Rhythm::new);
        let begun = Instant::now();
        let pauses = |run: &Self| run.looking_seconds + run.checkpoint_seconds;
        let before = self.seconds + pauses(self);
        let mut ended = self.seconds;
        let mut took = None;
        let mut ahead = None;
        for number in self.epochs + 1..=epochs {
            self.epochs = number;
            let Queued { epoch, interrupted, readback } = match ahead.take() {
                Some(queued) => queued,
                None => self.queue_epoch(number, observer)?,
            };
            let soon = took.map_or(0.0, |took: Duration| took.as_secs_f64());
            // What is kept is the state that the epoch leaves, which nothing runs past.
            let mut is_due = pace.as_ref().is_some_and(|pace| pace.is_due(number, soon));
            let goes_on = number < epochs && !interrupted && !is_due;
            self.is_ahead = goes_on && self.run_ahead.after(took);
            if self.is_ahead {
                self.take_snapshots()?;
                ahead = Some(self.queue_epoch(number + 1, observer)?);
            }
            let read = self.executor.take(readback)?;
            self.seconds = before + begun.elapsed().as_secs_f64() - pauses(self);
            let lasted = self.seconds - std::mem::replace(&mut ended, self.seconds);
            took = Some(Duration::from_secs_f64(lasted.max(0.0)));
            let read = self.epoch_read(read)?;
            if self.end_epoch(&epoch, read, interrupted, lasted, pace.as_mut(), observer)? {
                break;
            }
            if let Some(pace) = pace.as_mut().filter(|_| !self.is_ahead && number < epochs) {
                is_due |= pace.is_due(number, 0.0);
                if is_due {
                    self.keep_checkpoint(pace, number, None, None, observer)?;
                }
            }
        }
        if let Some(queued) = ahead {
            // It was run in vain; its staging buffer is free again.
            self.executor.take(queued.readback)?;
        }
        let ended = matches!(self.stop_reason, StopReason::Epochs | StopReason::EarlyStopping);
        if let Some(pace) = pace.as_mut().filter(|_| ended) {
            let why = Some(self.stop_reason);
            self.keep_checkpoint(pace, self.epochs, None, why, observer)?;
        }
        Ok(())
    }

    /// Whether a training that was ended before has nothing more to do in so many epochs at most.
    fn has_ended(&self, epochs: usize) -> bool {
        self.epochs >= epochs || self.stop_reason != StopReason::Epochs
    }

    /// Rows that an epoch has trained on by those states.
    pub(super) fn rows_done(&self, states: &[MemberState]) -> f64 {
        let of = |(member, state): (usize, &MemberState)| {
            let batches = self.train.batches_of(member);
            (state.cursor as usize * batches.batch).min(batches.covered()) as f64
        };
        states.iter().enumerate().map(of).sum()
    }

    /// Puts the kept weights in place, scores them on every set and reads them back.
    pub(super) fn finish(mut self) -> Result<Outcome> {
        let counters = self.executor.counters();
        let (members, stride) = (self.network.members, self.network.stride);
        if self.keeps_best() {
            let best = |watch: &EarlyStopping| watch.best_epoch().is_some();
            let has_best: Vec<bool> = self.early_stopping.iter().map(best).collect();
            let (from, to) = (self.best_parameters, self.evaluated);
            self.copy_members(from, to, |member| has_best[member])?;
        }
        let mut wanted = Vec::new();
        for pass in &self.evaluations {
            let executor = self.executor.as_mut();
            executor.write_state(pass.state()?, &vec![MemberState::START; members])?;
            pass.run(executor, None, &|_| false)?;
            wanted.extend(self.wanted(pass, self.plan.statistics)?);
        }
        wanted.push((self.evaluated, members * stride));
        let mut read = self.executor.read(&wanted)?;
        let parameters = read.pop().map(|read| read.into_reals()).unwrap_or_default();
        let mut read = read.into_iter().map(|read| read.into_reals());
        let mut scores = Vec::with_capacity(self.evaluations.len());
        for pass in &self.evaluations {
            let log = read.next().unwrap_or_default();
            let collected = pass.collects.then(|| read.next()).flatten();
            let scored = self.score(pass, &PassRead { log, collected })?;
            scores.push((pass.name.clone(), scored));
        }
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
            looking_seconds: self.looking_seconds,
            checkpoint_seconds: self.checkpoint_seconds,
            samples_per_second: self.samples / self.seconds.max(1e-9),
            counters,
            counters_at_start: self.counters_at_start,
            failure: self.failure,
            tiles: self.executor.tiles().to_vec(),
            network: self.network,
        })
    }
}

/// Refuses folds of a set that the device does not hold whole.
fn check_folds(set: &DeviceSet) -> Result<()> {
    if set.is_resident() {
        return Ok(());
    }
    let problem = format!(
        "the device holds {} of {} rows at once, and folds need all of them there",
        set.resident_rows, set.rows
    );
    Err(Error::config("data.folds", problem)
        .with_help("give data.validation instead, or train on --device cpu"))
}

/// The starting weights: drawn, then overlaid by `model.init_from`.
pub(super) fn starting_arena(settings: &Settings, network: &Network) -> Result<Vec<f32>> {
    let mut initializers: Vec<LayerInitializers> = settings
        .model
        .layers
        .iter()
        .map(|layer| LayerInitializers {
            weight: layer.init.clone(),
            bias: layer.bias_init.clone(),
        })
        .collect();
    let output = &settings.model.output;
    initializers
        .push(LayerInitializers { weight: output.init.clone(), bias: output.bias_init.clone() });
    let mut arena = draw(network, &initializers, settings.optimizer.convention, settings.seed)?;
    if let Some(file) = &settings.model.init_from {
        crate::model::read_weights(file, network, &mut arena)?;
    }
    Ok(arena)
}
