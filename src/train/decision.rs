//! What is decided between two epochs: which weights are kept, who stops, when the rate falls.

use std::time::Instant;

use super::checkpoint::{Rhythm, Within};
use super::epoch::{Epoch, EpochRead};
use super::run::{Run, STOPPED_BY_HOST};
use super::{EpochRecord, Observer, StopReason};
use crate::config::{Monitor, Quantity};
use crate::error::Result;
use crate::program::{MemberState, NONE};

impl Run<'_> {
    /// Judges an epoch; returns whether it was the last.
    pub(super) fn end_epoch(
        &mut self,
        epoch: &Epoch,
        mut read: EpochRead,
        interrupted: bool,
        lasted: f64,
        checkpoints: Option<&mut Rhythm>,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        // A member that stopped before this epoch has nothing new to say, whatever the device,
        // which may have run ahead, made of it.
        let trained: Vec<bool> = self.states.iter().map(|s| s.bad_step == NONE).collect();
        if let Some(pace) = checkpoints.filter(|_| interrupted) {
            // Before anything of this epoch is told: it will be told when it has ended.
            let batches = read.states.iter().map(|state| state.cursor as usize).max().unwrap_or(0);
            let within = Within { batches, states: read.states.clone() };
            self.keep_checkpoint(pace, epoch.number - 1, Some(within), None, observer)?;
        }
        self.settle(epoch, &trained, &mut read);
        if let (true, Some(look)) = (std::mem::take(&mut self.has_rolled_back), &mut read.last_step)
        {
            self.look_again(look, &trained)?;
        }
        let rows = self.rows_done(&self.states);
        self.samples += rows;
        let rows = rows - std::mem::take(&mut self.rows_before);
        if self.may_restart {
            // What diverged is not to be on record beside what is trained in its place.
            self.check_finite(epoch, &trained, observer)?;
        }
        self.report_steps(epoch, &trained, &read.train.log, observer)?;
        if !self.may_restart {
            self.check_finite(epoch, &trained, observer)?;
        }
        if self.failure.is_some() {
            self.stop_reason = StopReason::Diverged;
            self.roll_back(&trained)?;
            return Ok(true);
        }
        if interrupted {
            self.stop_reason = StopReason::Interrupted;
            if !self.keeps_best() {
                // The weights are those of the step that was finished last.
                self.best_epoch.fill(epoch.number);
            }
            return Ok(true);
        }
        let mut record = EpochRecord {
            epoch: epoch.number,
            step: (epoch.number * self.pace().epoch_steps()) as u64,
            seconds: self.seconds,
            samples_per_second: rows / lasted.max(1e-9),
            learning_rate: self.last_rates(epoch),
            train: self.train_scores(epoch, &read)?,
            validation: read.validation,
            best: vec![false; self.network.members],
        };
        for (member, scores) in record.train.iter_mut().enumerate() {
            if self.states[member].bad_step != NONE {
                scores.forget();
            }
        }
        self.decide(epoch.number, &trained, &mut record)?;
        self.watch_plateaus(&trained, &record);
        observer.epoch(&record)?;
        let stops = observer.stops();
        for state in self.states.iter_mut().filter(|state| stops && state.bad_step == NONE) {
            state.bad_step = STOPPED_BY_HOST;
        }
        self.roll_back(&trained)?;
        if let Some((after, before)) = &read.last_step {
            let begun = Instant::now();
            self.observe(record.epoch, record.step, after, before, observer)?;
            // A device that has run ahead trains meanwhile: then the look is no pause.
            if !self.is_ahead {
                self.looking_seconds += begun.elapsed().as_secs_f64();
            }
        }
        let ends = self.states.iter().all(|state| state.bad_step != NONE);
        if ends {
            let stopped = self.states.iter().any(|state| state.bad_step == STOPPED_BY_HOST);
            self.stop_reason = match stopped {
                _ if stops => StopReason::Interrupted,
                true => StopReason::EarlyStopping,
                false => StopReason::Diverged,
            };
        }
        Ok(ends)
    }

    /// Takes over where the members stand after an epoch, and of those that trained in it the scores.
    pub(super) fn settle(&mut self, epoch: &Epoch, trained: &[bool], read: &mut EpochRead) {
        let members = self.network.members;
        for (member, state) in self.states.iter_mut().enumerate() {
            *state = if trained[member] {
                let mut reached = read.states[member];
                reached.settle(|row| epoch.table.steps[row * members + member].step);
                reached
            } else {
                MemberState { cursor: 0, ..*state }
            };
        }
        if let Some(validation) = &mut read.validation {
            for (member, scores) in validation.iter_mut().enumerate() {
                match self.validation.get(member) {
                    Some(before) if !trained[member] => *scores = before.clone(),
                    _ => {}
                }
            }
            self.validation.clone_from(validation);
        }
    }

    /// A member's value of what is watched; not a number where there is none. The heads of a network
    /// share the mean of theirs, so that they are judged as one.
    pub(super) fn watched(&self, monitor: &Monitor, member: usize, record: &EpochRecord) -> f64 {
        let heads = self.network.heads;
        let first = member - member % heads;
        let of_heads = (first..first + heads).map(|head| self.watched_of(monitor, head, record));
        of_heads.sum::<f64>() / heads as f64
    }

    fn watched_of(&self, monitor: &Monitor, member: usize, record: &EpochRecord) -> f64 {
        let scores = if monitor.of_validation {
            record.validation.as_ref().map(|all| &all[member])
        } else {
            Some(&record.train[member])
        };
        // A member that met a number that is not finite has no score of its own.
        let finite = self.states[member].bad_step == NONE;
        let value = scores.filter(|_| finite).and_then(|scores| match monitor.quantity {
            Quantity::Loss => Some(scores.loss),
            Quantity::Metric(index) => scores.get(self.task.metrics[index].name),
        });
        value.unwrap_or(f64::NAN)
    }

    /// Tells `reduce_on_plateau` how the epoch ended.
    pub(super) fn watch_plateaus(&mut self, trained: &[bool], record: &EpochRecord) {
        let Some(monitor) = self.task.plateau_monitor else { return };
        let values: Vec<f64> =
            (0..trained.len()).map(|member| self.watched(&monitor, member, record)).collect();
        for ((plateau, value), trained) in self.plateaus.iter_mut().zip(values).zip(trained) {
            if *trained {
                plateau.end_epoch(value);
            }
        }
    }

    /// Early stopping: which members keep this epoch's weights, and which stop.
    pub(super) fn decide(
        &mut self,
        epoch: usize,
        trained: &[bool],
        record: &mut EpochRecord,
    ) -> Result<()> {
        let restores = self.keeps_best();
        for (member, trained) in trained.iter().enumerate() {
            if !trained {
                continue;
            }
            let own = self.members[member].own_epoch(epoch);
            let Some(monitor) = self.task.monitor else {
                self.best_epoch[member] = own;
                continue;
            };
            let finite = self.states[member].bad_step == NONE;
            let value = self.watched(&monitor, member, record);
            let verdict = self.early_stopping[member].end_epoch(own, value);
            record.best[member] = verdict.keep;
            self.best_epoch[member] = match self.early_stopping[member].best_epoch() {
                Some(best) if restores => best,
                _ => own,
            };
            if verdict.stop && finite {
                self.states[member].bad_step = STOPPED_BY_HOST;
            }
        }
        if restores {
            let (from, to) = (self.judged(self.evaluated), self.best_parameters);
            self.copy_members(from, to, |member| record.best[member])?;
        }
        Ok(())
    }
}
