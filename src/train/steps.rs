//! The settings table: what each step of an epoch is told, worked out on the host in f64.

use crate::catalog::optimizer::Hyperparameters;
use crate::catalog::schedule::ScheduleSettings;
use crate::program::StepSettings;

/// How a set is cut into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Rows of the set.
    pub rows: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Whether a last batch that is not full is left out.
    pub drop_last: bool,
    /// Steps whose rows the device holds at once; rows are numbered anew after as many.
    pub window: usize,
}

impl Batches {
    /// Steps of a pass over the set.
    pub fn steps(&self) -> usize {
        if self.drop_last && self.rows >= self.batch {
            self.rows / self.batch
        } else {
            self.rows.div_ceil(self.batch)
        }
    }

    /// Rows that a pass covers.
    pub fn covered(&self) -> usize {
        self.rows.min(self.steps() * self.batch)
    }

    /// Where a step's batch begins among the rows that the device holds, and its rows.
    fn place(&self, step: usize) -> (u32, u32) {
        let rows = self.batch.min(self.rows - step * self.batch);
        ((step % self.window * self.batch) as u32, rows as u32)
    }

    /// The table of a pass that does not train: `[steps][members]`.
    pub fn evaluation_table(&self, members: usize) -> Vec<StepSettings<f64>> {
        (0..self.steps())
            .flat_map(|step| {
                let (first_row, rows) = self.place(step);
                let row = StepSettings { first_row, rows, step: 1, ..StepSettings::default() };
                std::iter::repeat_n(row, members)
            })
            .collect()
    }
}

/// The optimizer's numbers over the whole training.
#[derive(Debug, Clone, Copy)]
pub struct Pace<'a> {
    /// Hyper-parameters, the same for all members.
    pub hyperparameters: Hyperparameters,
    /// The learning-rate schedule.
    pub schedule: &'a ScheduleSettings,
    /// Steps of an epoch.
    pub epoch_steps: usize,
    /// Epochs.
    pub epochs: usize,
}

impl Pace<'_> {
    /// The learning rate of a step, counted from 0 over the whole training.
    pub fn learning_rate(&self, step: u64) -> f64 {
        self.schedule.rate(
            self.hyperparameters.learning_rate,
            step,
            self.epoch_steps as u64,
            self.epochs as u64,
        )
    }

    /// The table of an epoch (from 1): `[steps][members]`.
    pub fn training_table(
        &self,
        batches: &Batches,
        epoch: usize,
        members: usize,
    ) -> Vec<StepSettings<f64>> {
        let h = &self.hyperparameters;
        let before = ((epoch - 1) * self.epoch_steps) as u64;
        (0..batches.steps())
            .flat_map(|within| {
                let (first_row, rows) = batches.place(within);
                let done = before + within as u64;
                let count = (done + 1) as f64;
                let row = StepSettings {
                    first_row,
                    rows,
                    // Only the dropout counter and "is this the first" read it: wrapping is harmless.
                    step: (done + 1).min(u64::from(u32::MAX - 1)) as u32,
                    learning_rate: self.learning_rate(done),
                    weight_decay: h.weight_decay,
                    epsilon: h.epsilon,
                    beta1: h.beta1,
                    beta2: h.beta2,
                    momentum: h.momentum,
                    dampening: h.dampening,
                    rho: h.rho,
                    correction1: 1.0 - h.beta1.powf(count),
                    correction2: 1.0 - h.beta2.powf(count),
                    ..StepSettings::default()
                };
                std::iter::repeat_n(row, members)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_is_short_or_left_out() {
        let mut batches = Batches { rows: 10, batch: 4, drop_last: false, window: 100 };
        assert_eq!((batches.steps(), batches.covered()), (3, 10));
        let rows: Vec<_> =
            batches.evaluation_table(1).iter().map(|s| (s.first_row, s.rows)).collect();
        assert_eq!(rows, [(0, 4), (4, 4), (8, 2)]);
        batches.drop_last = true;
        assert_eq!((batches.steps(), batches.covered()), (2, 8));
        // A set smaller than one batch is still one step.
        batches.rows = 3;
        assert_eq!((batches.steps(), batches.covered()), (1, 3));
    }

    #[test]
    fn rows_are_numbered_anew_in_each_window() {
        let batches = Batches { rows: 10, batch: 2, drop_last: false, window: 2 };
        let firsts: Vec<_> = batches.evaluation_table(1).iter().map(|s| s.first_row).collect();
        assert_eq!(firsts, [0, 2, 0, 2, 0]);
    }
}
