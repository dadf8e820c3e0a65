//! One training on its way: what is uploaded once, what an epoch queues and reads back, and what
//! is decided between two epochs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ahead::{RunAhead, Snapshot};
use super::checkpoint::{Rhythm, Within};
use super::epoch::{PassRead, Queued};
use super::member::Member;
use super::order::{Draws, EpochOrder, Shuffle};
use super::outline::Outline;
use super::outputs::Interpreter;
use super::probe::Probe;
use super::recovery::Relay;
use super::scores::SetScores;
use super::sets::Sets;
use super::starting_weights::starting_arena;
use super::steps::loss_of;
use super::{
    EarlyStopping, Feed, Logits, Observer, Outcome, Scorer, Scores, StopReason, Tally,
    tally_together,
};
use crate::backend::{Backend, Counters, Executor};
use crate::catalog::schedule::reduce_on_plateau::ReduceOnPlateau;
use crate::config::{OnDivergence, Settings, TaskSettings};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::program::{BufferId, MemberState, Plan};

/// `bad_step` of a member that the host has stopped; steps count from 1.
pub(super) const STOPPED_BY_HOST: u32 = 0;

/// A member that does nothing.
pub(super) const STOPPED: MemberState =
    MemberState { bad_step: STOPPED_BY_HOST, ..MemberState::START };

/// A training on its way.
pub(super) struct Run<'a> {
    pub(super) settings: &'a Settings,
    pub(super) task: &'a TaskSettings,
    /// What each member has of its own.
    pub(super) members: Vec<Member>,
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
    /// The optimizer's coefficients of each member's last step.
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
    /// How often training went back to a state before it diverged, each time with half the rate.
    pub(super) restarts: usize,
    /// Whether it goes back once more.
    pub(super) may_restart: bool,
    /// Whether checkpoints are made though the observer keeps none, to go on from where the device is
    /// lost.
    pub(super) remembers: bool,
    pub(super) counters_at_start: Counters,
}

impl<'a> Run<'a> {
    /// A training of a data set that is this one's alone.
    pub(super) fn new(
        settings: &'a Settings,
        task: &'a TaskSettings,
        dataset: Dataset,
        backend: &dyn Backend,
        run_ahead: RunAhead,
        observes: bool,
    ) -> Result<Self> {
        let sets = Sets::new(settings, dataset, backend)?;
        Self::of(settings, task, &sets, backend, run_ahead, observes)
    }

    /// A training of sets that others may share.
    pub(super) fn of(
        settings: &'a Settings,
        task: &'a TaskSettings,
        sets: &Sets,
        backend: &dyn Backend,
        run_ahead: RunAhead,
        observes: bool,
    ) -> Result<Self> {
        Self::with_members(
            settings,
            Member::all_of(settings),
            task,
            sets,
            backend,
            run_ahead,
            observes,
        )
    }

    /// A training whose members have settings of their own, of which `settings` holds what they share.
    #[allow(clippy::too_many_arguments)] // what a training is made of
    pub(super) fn with_members(
        settings: &'a Settings,
        own: Vec<Member>,
        task: &'a TaskSettings,
        sets: &Sets,
        backend: &dyn Backend,
        run_ahead: RunAhead,
        observes: bool,
    ) -> Result<Self> {
        let members = own.len();
        let capacity = backend.capacity();
        let outline = Outline::new(settings, &own, task, sets, capacity, run_ahead, observes)?;
        let Outline { network, train, evaluations, has_validation, scorer, interpreter, .. } =
            outline;
        let Outline { plan, plateaus, run_ahead, snapshots, before_last_step, .. } = outline;
        let Outline { parameters, weights, .. } = outline;
        let mut run = Self {
            settings,
            task,
            members: own,
            parameters,
            evaluated: weights,
            best_parameters: plan.buffer("best_parameters")?,
            executor: backend.load(&plan)?,
            network,
            plan,
            train,
            shuffle: sets.shuffle,
            evaluations,
            has_validation,
            scorer,
            interpreter,
            early_stopping: Vec::new(),
            plateaus,
            coefficients: vec![[1.0; 4]; members],
            coefficients_before: vec![[1.0; 4]; members],
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
            restarts: 0,
            may_restart: false,
            remembers: false,
            counters_at_start: Counters::default(),
        };
        run.remembers = run.is_worth_remembering(backend)?;
        run.early_stopping =
            run.members.iter().filter_map(|own| own.early_stopping(task)).collect();
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
            let draws = Draws::of_run(0, 1, self.members.len());
            let all = || EpochOrder::new(Shuffle::Never, draws, self.train.set.rows, true);
            let order = self.train.fixed_order().unwrap_or_else(all);
            self.train.write_orders(executor, order.held())?;
        }
        let arena = starting_arena(&self.members, &self.network)?;
        let wide: Vec<f64> = arena.iter().map(|w| f64::from(*w)).collect();
        executor.write_reals(self.parameters, &wide)?;
        if self.evaluated != self.parameters {
            executor.write_reals(self.evaluated, &wide)?;
        }
        self.upload_numbers()?;
        self.write_loss_scales()?;
        self.upload_optimizer()
    }

    /// The members' own numbers that the device reads from tables which hold for the whole training.
    pub(super) fn upload_numbers(&mut self) -> Result<()> {
        let layers = self.layer_table();
        self.executor.write_layers(self.plan.buffer("layers")?, &layers)?;
        let blocks = self.block_settings();
        self.executor.write_reals(self.plan.buffer("block_settings")?, &blocks)?;
        if self.task.loss.by_member {
            let losses: Vec<_> = self.members.iter().map(|own| loss_of(&own.settings)).collect();
            for pass in &self.evaluations {
                pass.write_evaluation(self.executor.as_mut(), &losses)?;
            }
        }
        Ok(())
    }

    pub(super) fn train(&mut self, observer: &mut Relay) -> Result<()> {
        self.counters_at_start = self.executor.counters();
        let epochs = self.settings.training.epochs;
        if self.has_ended(epochs) {
            return Ok(());
        }
        let keeps = observer.keeps_checkpoints();
        let asked = self.settings.checkpoint.filter(|_| keeps || self.remembers);
        let mut pace = asked.map(Rhythm::new);
        // Where it may go back, to the end of the last epoch, whatever the clock says.
        let returns = self.settings.training.on_divergence == OnDivergence::Restart;
        if returns {
            observer.remember(self.checkpoint(self.epochs, None, None)?);
        }
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
            let goes_on = number < epochs && !interrupted && !is_due && !returns;
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
            if interrupted && keeps && returns && pace.is_some() {
                // From within an epoch there is no way back to its beginning.
                observer.hand_over()?;
            }
            let kept = pace.as_mut().filter(|_| keeps && !returns);
            if self.end_epoch(&epoch, read, interrupted, lasted, kept, observer)? {
                break;
            }
            if let Some(pace) = pace.as_mut().filter(|_| !self.is_ahead && number < epochs) {
                is_due |= pace.is_due(number, 0.0);
                if is_due {
                    self.keep_checkpoint(pace, number, None, None, observer)?;
                }
            }
            if returns && !is_due {
                observer.remember(self.checkpoint(number, None, None)?);
            }
        }
        if let Some(queued) = ahead {
            // It was run in vain; its staging buffer is free again.
            self.executor.take(queued.readback)?;
        }
        let ended = matches!(self.stop_reason, StopReason::Epochs | StopReason::EarlyStopping);
        if let Some(pace) = pace.as_mut().filter(|_| ended && keeps) {
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

    /// Puts the best weights of some members in the place of the last.
    pub(super) fn put_best_in_place(&mut self, chosen: impl Fn(usize) -> bool) -> Result<()> {
        if self.keeps_best() {
            let best = |watch: &EarlyStopping| watch.best_epoch().is_some();
            let has_best: Vec<bool> = self.early_stopping.iter().map(best).collect();
            let (from, to) = (self.best_parameters, self.evaluated);
            self.copy_members(from, to, |member| has_best[member] && chosen(member))?;
        }
        Ok(())
    }

    /// Scores the weights in place on every set, and reads them, `[members][stride]`; `start` is where
    /// members stand: those that have stopped are left out. `together`, where it is given, takes the scores
    /// of all members as one model on the sets held out.
    pub(super) fn score_all_sets(
        &mut self,
        start: &[MemberState],
        mut together: Option<&mut Vec<(String, Scores)>>,
    ) -> Result<(SetScores, Vec<f32>)> {
        let (members, stride) = (self.network.members, self.network.stride);
        let mut wanted = Vec::new();
        for pass in &self.evaluations {
            let executor = self.executor.as_mut();
            executor.write_state(pass.state()?, start)?;
            let held_out = pass.shares.is_none() && !Arc::ptr_eq(&pass.set, &self.train.set);
            match together.as_deref_mut().filter(|_| members > 1 && held_out) {
                Some(together) => {
                    let logits = Logits::of(&self.plan, &self.network)?;
                    let mut tally = Tally::new(&self.scorer, &self.interpreter, false);
                    tally_together(pass, executor, logits, &mut tally)?;
                    together.push((pass.name.clone(), tally.scores(&pass.set)?));
                }
                None => {
                    pass.run(executor, None, &|_| false)?;
                }
            }
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
        Ok((scores, parameters.into_iter().map(|w| w as f32).collect()))
    }

    /// Puts the kept weights in place, scores them on every set and reads them back.
    pub(super) fn finish(mut self) -> Result<Outcome> {
        let counters = self.executor.counters();
        self.put_best_in_place(|_| true)?;
        let mut ensemble = Vec::new();
        let start = vec![MemberState::START; self.network.members];
        let (scores, parameters) = self.score_all_sets(&start, Some(&mut ensemble))?;
        Ok(Outcome {
            parameters,
            scores,
            ensemble,
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
            restarts: self.restarts,
            device_losses: 0,
            replacement: None,
            tiles: self.executor.tiles().to_vec(),
            network: self.network,
        })
    }
}
