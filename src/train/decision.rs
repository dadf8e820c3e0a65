//! What is decided between two epochs: which weights are kept, who stops, when the rate falls.

use super::EpochRecord;
use super::run::{Run, STOPPED_BY_HOST};
use crate::config::{Monitor, Quantity};
use crate::error::Result;
use crate::program::NONE;

impl Run<'_> {
    /// A member's value of what is watched; not a number where there is none.
    pub(super) fn watched(&self, monitor: &Monitor, member: usize, record: &EpochRecord) -> f64 {
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
            let Some(monitor) = self.task.monitor else {
                self.best_epoch[member] = epoch;
                continue;
            };
            let finite = self.states[member].bad_step == NONE;
            let value = self.watched(&monitor, member, record);
            let verdict = self.early_stopping[member].end_epoch(epoch, value);
            record.best[member] = verdict.keep;
            self.best_epoch[member] = match self.early_stopping[member].best_epoch() {
                Some(best) if restores => best,
                _ => epoch,
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
