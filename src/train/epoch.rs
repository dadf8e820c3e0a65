//! One epoch of a training: its table of steps, what it queues, what it reads back, and the scores
//! and step records made of that.

use std::sync::Arc;

use super::checkpoint::Within;
use super::member::cohorts;
use super::order::{EpochOrder, Shuffle};
use super::probe::observed_members;
use super::recovery::restart_factor;
use super::run::{Run, STOPPED};
use super::steps::{idle_step, side_by_side};
use super::{EpochTable, Feed, Observer, Pace, PassLog, Scores, SetOutputs, StepRecord};
use crate::backend::{Contained, Readback};
use crate::catalog::schedule::reduce_on_plateau::ReduceOnPlateau;
use crate::error::Result;
use crate::program::{BufferId, MemberState};

impl Run<'_> {
    /// The numbers of a training by settings that all members share.
    pub(super) fn pace(&self) -> Pace<'_> {
        Pace { epoch_batches: self.train.batches.steps(), ..Pace::of(self.settings) }
    }

    /// Each member's learning rate at the epoch's end.
    pub(super) fn last_rates(&self, epoch: &Epoch) -> Vec<f64> {
        let steps = &epoch.table.steps;
        steps[steps.len() - self.network.members..].iter().map(|step| step.learning_rate).collect()
    }

    /// Makes the epoch's order of the rows and its table of steps.
    pub(super) fn prepare_epoch(&mut self, number: usize) -> Epoch {
        let members = self.network.members;
        let set = &self.train.set;
        let shuffle = self.shuffle;
        let draws = self.members.iter().map(|member| member.draws(number)).collect();
        let order = match &self.train.shares {
            Some(shares) => EpochOrder::of_shares(shuffle, draws, shares),
            None => {
                let holds = set.is_resident() && shuffle != Shuffle::Never;
                EpochOrder::new(shuffle, draws, set.rows, holds)
            }
        };
        let mut factors: Vec<f64> = match self.plateaus.as_slice() {
            [] => vec![1.0; members],
            plateaus => plateaus.iter().map(ReduceOnPlateau::factor).collect(),
        };
        factors.iter_mut().for_each(|factor| *factor *= restart_factor(self.restarts));
        let divisors = &set.divisors;
        let lookup = order.lookup();
        let divisor = |member: usize, first: usize, rows: usize| {
            if divisors.is_empty() {
                return rows as f64;
            }
            let places = first..first + rows;
            places.map(|place| f64::from(divisors[lookup.row(member, place)])).sum()
        };
        let (table, coefficients) = self.table(number, &factors, &divisor);
        drop(lookup);
        self.coefficients_before = std::mem::replace(&mut self.coefficients, coefficients);
        Epoch { number, table, order: Arc::new(order) }
    }

    /// The epoch's table, and the optimizer's coefficients at its end, of each member. Members of one cohort
    /// go through as many steps, and those of another may go through more.
    fn table(
        &self,
        number: usize,
        factors: &[f64],
        divisor: &dyn Fn(usize, usize, usize) -> f64,
    ) -> (EpochTable, Vec<[f64; 4]>) {
        let members = self.network.members;
        let mut coefficients = self.coefficients.clone();
        let folds = self.train.shares.as_ref().map_or(1, |shares| shares.folds());
        let mut of_member = vec![(Vec::new(), Vec::new()); members];
        for own in cohorts(&self.members, folds) {
            let first = own[0];
            let batches = self.train.batches_of(first);
            let factors: Vec<f64> = own.iter().map(|member| factors[*member]).collect();
            let settings = &self.members[first].settings;
            let pace = Pace { epoch_batches: batches.steps(), ..Pace::of(settings) };
            let (table, reached) = pace.training_table(
                &batches,
                self.members[first].own_epoch(number),
                self.coefficients[first],
                &factors,
                &|at, first, rows| divisor(own[at], first, rows),
            );
            if own.len() == members {
                return (table, vec![reached; members]);
            }
            for (at, member) in own.iter().enumerate() {
                let steps = table.steps.iter().skip(at).step_by(own.len()).copied();
                let divisors = table.divisors.iter().skip(at).step_by(own.len()).copied();
                of_member[*member] = (steps.collect(), divisors.collect());
                coefficients[*member] = reached;
            }
        }
        let (steps, divisors): (Vec<_>, Vec<_>) = of_member.into_iter().unzip();
        let table = EpochTable {
            steps: side_by_side(&steps, idle_step),
            divisors: side_by_side(&divisors, |_| 0.0),
        };
        (table, coefficients)
    }

    /// Uploads the epoch's table and queues the first so many of its batches, without those that were
    /// done before a checkpoint; returns whether it was interrupted. The weights before the last of
    /// them are kept where `keeps_before`.
    pub(super) fn queue_batches(
        &mut self,
        epoch: &Epoch,
        batches: usize,
        keeps_before: bool,
        interrupted: &dyn Fn(usize) -> bool,
    ) -> Result<bool> {
        let within = self.within.take();
        let executor = self.executor.as_mut();
        self.train.write_steps(executor, &epoch.table.steps)?;
        let (mut first, start) = match within {
            Some(Within { batches, states }) => (batches, states),
            None => {
                let start = |state: &MemberState| MemberState { cursor: 0, ..*state };
                (0, self.states.iter().map(start).collect())
            }
        };
        executor.write_state(self.train.state()?, &start)?;
        if first > 0 {
            self.train.write_orders(executor, epoch.order.held())?;
        }
        if let Some(before) = self.before_last_step.filter(|_| keeps_before && first < batches) {
            let last = batches - 1;
            if self.train.run_steps(first..last, executor, Some(&epoch.order), interrupted)? {
                return Ok(true);
            }
            first = last;
            let length = observed_members(&self.network) * self.network.stride;
            executor.copy(self.parameters, before, 0, length)?;
        }
        self.train.run_steps(first..batches, executor, Some(&epoch.order), interrupted)
    }

    /// Queues an epoch's training and validation, and the readback of both.
    pub(super) fn queue_epoch(&mut self, number: usize, observer: &dyn Observer) -> Result<Queued> {
        let epoch = self.prepare_epoch(number);
        let batches = self.train.batches.steps();
        let looks = self.observes_after(number);
        let interrupted = self.queue_batches(&epoch, batches, looks, &|done| {
            observer.advanced(number, done as f64 / batches as f64);
            observer.interrupted()
        })?;
        if self.has_validation && !interrupted {
            let start = self.members.iter().map(|member| match member.is_idle {
                true => STOPPED,
                false => MemberState::START,
            });
            let start: Vec<MemberState> = start.collect();
            let executor = self.executor.as_mut();
            let pass = &self.evaluations[0];
            executor.write_state(pass.state()?, &start)?;
            pass.run(executor, None, &|_| false)?;
        }
        let wanted = self.wanted_of_epoch(looks)?;
        let readback = self.executor.begin_read(&wanted)?;
        Ok(Queued { epoch, interrupted, readback })
    }

    /// What is read of a pass: its log, and the outputs where they are collected.
    pub(super) fn wanted(&self, pass: &Feed, width: usize) -> Result<Vec<(BufferId, usize)>> {
        let members = self.network.members;
        let mut wanted = vec![(pass.log()?, pass.batches.steps() * members * width)];
        if let Some(collected) = pass.collected()? {
            let outputs = self.network.outputs();
            wanted.push((collected, pass.batches.covered() * members * outputs));
        }
        Ok(wanted)
    }

    /// The epoch's one readback: the states, what is read of its passes, and the weights after and
    /// before its last step where the network is looked at.
    pub(super) fn wanted_of_epoch(&self, looks: bool) -> Result<Vec<(BufferId, usize)>> {
        let mut wanted = vec![(self.train.state()?, self.network.members)];
        wanted.extend(self.wanted(&self.train, self.plan.log_width)?);
        if self.has_validation {
            wanted.extend(self.wanted(&self.evaluations[0], self.plan.statistics)?);
        }
        if let Some(before) = self.before_last_step.filter(|_| looks) {
            let length = observed_members(&self.network) * self.network.stride;
            wanted.extend([(self.parameters, length), (before, length)]);
        }
        Ok(wanted)
    }

    /// What an epoch's readback brought.
    pub(super) fn epoch_read(&self, read: Vec<Contained>) -> Result<EpochRead> {
        let mut read = read.into_iter();
        let states = read.next().map(|read| read.into_state()).unwrap_or_default();
        let collects = self.train.collects;
        let mut pass = || {
            let log = read.next().map(|read| read.into_reals()).unwrap_or_default();
            let collected = collects.then(|| read.next()).flatten();
            PassRead { log, collected: collected.map(|read| read.into_reals()) }
        };
        let train = pass();
        let validation = self.has_validation.then(pass);
        let validation =
            validation.map(|read| self.score(&self.evaluations[0], &read)).transpose()?;
        let mut weights = || read.next().map(|read| read.into_reals());
        let last_step = weights().zip(weights());
        Ok(EpochRead { train, states, validation, last_step })
    }

    /// The scores of an evaluation pass.
    pub(super) fn score(&self, pass: &Feed, read: &PassRead) -> Result<Vec<Scores>> {
        let of = |row: usize| f64::from(pass.set.divisors[row]);
        let divisor = |member: usize| match &pass.shares {
            _ if pass.set.divisors.is_empty() => pass.batches_of(member).covered() as f64,
            Some(shares) => shares.of(member).iter().map(|row| of(*row as usize)).sum(),
            None => (0..pass.set.divisors.len()).map(of).sum(),
        };
        let divisors: Vec<f64> = (0..self.network.members).map(divisor).collect();
        self.scores_of(pass, read, self.plan.statistics, &divisors, None)
    }

    /// The scores of the epoch's training pass: of the weights as they were at each step.
    pub(super) fn train_scores(&self, epoch: &Epoch, read: &EpochRead) -> Result<Vec<Scores>> {
        let members = self.network.members;
        let mut divisors = vec![0.0; members];
        for batch in epoch.table.divisors.chunks_exact(members) {
            divisors.iter_mut().zip(batch).for_each(|(sum, divisor)| *sum += divisor);
        }
        self.scores_of(&self.train, &read.train, self.plan.log_width, &divisors, Some(&epoch.order))
    }

    pub(super) fn scores_of(
        &self,
        pass: &Feed,
        read: &PassRead,
        width: usize,
        divisors: &[f64],
        order: Option<&EpochOrder>,
    ) -> Result<Vec<Scores>> {
        let outputs = self.network.outputs();
        let empty = Vec::new();
        let collected = read.collected.as_ref().unwrap_or(&empty);
        let mut of_member =
            |member: usize| Ok(self.interpreter.of_member(pass, member, collected, order, outputs));
        let given = read.collected.is_some().then_some(SetOutputs {
            width: self.interpreter.width(outputs),
            of_member: &mut of_member,
        });
        let covered = |member: usize| pass.batches_of(member).covered();
        let covered: Vec<usize> = (0..self.network.members).map(covered).collect();
        let (steps, variances) = (pass.batches.steps(), pass.variances());
        let log = PassLog { log: &read.log, width, steps, covered: &covered, variances, divisors };
        self.scorer.scores(&log, given)
    }

    /// Reports the steps that are logged: of the batches that make a step the mean loss, and the
    /// gradient after the last. A member that did not take the step has no numbers.
    pub(super) fn report_steps(
        &self,
        epoch: &Epoch,
        trained: &[bool],
        log: &[f64],
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let every = self.settings.log_every_steps;
        if every == 0 {
            return Ok(());
        }
        let members = self.network.members;
        let width = self.plan.log_width;
        let reached: Vec<usize> = self
            .states
            .iter()
            .zip(trained)
            .map(|(state, trained)| if *trained { state.cursor as usize } else { 0 })
            .collect();
        let batches = reached.iter().copied().max().unwrap_or(0).min(self.train.batches.steps());
        let accumulate = self.settings.training.accumulate;
        let before = (epoch.number - 1) * self.pace().epoch_steps();
        for last in 0..batches {
            let of_batch = &epoch.table.steps[last * members..(last + 1) * members];
            if of_batch.iter().all(|row| row.updates == 0) {
                continue;
            }
            // A member that is done with its rows takes no step either.
            let took = |member: usize| reached[member] > last && of_batch[member].rows > 0;
            let group = last / accumulate;
            let step = before + group + 1;
            if !step.is_multiple_of(every) {
                continue;
            }
            let of_group = group * accumulate..last + 1;
            let column = |at: usize| -> Vec<f64> {
                let of = |member: usize| log[(last * members + member) * width + at];
                (0..members)
                    .map(|member| if took(member) { of(member) } else { f64::NAN })
                    .collect()
            };
            let loss = |member: usize| {
                if !took(member) {
                    return f64::NAN;
                }
                let at = |batch: usize| batch * members + member;
                let sum: f64 = of_group.clone().map(|batch| log[at(batch) * width]).sum();
                let divisors = of_group.clone().map(|batch| epoch.table.divisors[at(batch)]);
                sum / divisors.sum::<f64>()
            };
            observer.step(&StepRecord {
                step: step as u64,
                epoch: epoch.number,
                learning_rate: of_batch.iter().map(|row| row.learning_rate).collect(),
                loss: (0..members).map(loss).collect(),
                grad_norm: column(self.plan.statistics).into_iter().map(f64::sqrt).collect(),
                penalty: column(self.plan.statistics + 1),
            })?;
        }
        Ok(())
    }
}

/// An epoch, from 1: its table, and each member's order of the rows.
pub(super) struct Epoch {
    pub(super) number: usize,
    pub(super) table: EpochTable,
    pub(super) order: Arc<EpochOrder>,
}

/// An epoch that the device was given.
pub(super) struct Queued {
    pub(super) epoch: Epoch,
    /// Whether the user ended it before all of it was queued.
    pub(super) interrupted: bool,
    pub(super) readback: Readback,
}

/// What an epoch's readback brought.
pub(super) struct EpochRead {
    pub(super) train: PassRead,
    pub(super) states: Vec<MemberState>,
    pub(super) validation: Option<Vec<Scores>>,
    /// The weights after and before the last step, where the network is looked at.
    pub(super) last_step: Option<(Vec<f64>, Vec<f64>)>,
}

/// What a pass left behind.
pub(super) struct PassRead {
    pub(super) log: Vec<f64>,
    pub(super) collected: Option<Vec<f64>>,
}
