//! The settings table: what each step of an epoch is told, worked out on the host in f64.

use crate::catalog::optimizer::Hyperparameters;
use crate::catalog::schedule::ScheduleSettings;
use crate::config::{AverageConfig, AverageEvery, AverageSettings, OptimizerSettings, Settings};
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

    /// A set of so many rows, cut alike.
    #[must_use]
    pub fn of_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// The table of a pass that does not train, for one member: a row a step. `loss` holds the parameters
    /// of its loss, where members differ in them.
    pub fn evaluation_table(&self, loss: [f64; 3]) -> Vec<StepSettings<f64>> {
        let row = |step| {
            let (first_row, rows) = self.place(step);
            StepSettings {
                first_row,
                rows,
                position: (step * self.batch) as u32,
                step: 1,
                batch: 1,
                loss: padded(loss),
                ..StepSettings::default()
            }
        };
        (0..self.steps()).map(row).collect()
    }
}

/// The parameters of the loss that some settings name; of one that the task decides, which nothing varies,
/// none.
pub fn loss_of(settings: &Settings) -> [f64; 3] {
    settings.loss.map_or([0.0; 3], |loss| loss.values)
}

/// As the table has them.
pub(super) fn padded([first, second, third]: [f64; 3]) -> [f64; 4] {
    [first, second, third, 0.0]
}

/// The optimizer's numbers over the whole training.
#[derive(Debug, Clone, Copy)]
pub struct Pace<'a> {
    /// The optimizer.
    pub optimizer: &'a OptimizerSettings,
    /// The learning-rate schedule.
    pub schedule: &'a ScheduleSettings,
    /// Running average of the weights.
    pub average: Option<AverageSettings>,
    /// Batches whose gradients make one step.
    pub accumulate: usize,
    /// Batches of an epoch.
    pub epoch_batches: usize,
    /// Epochs.
    pub epochs: usize,
    /// Members whose losses the loss is the mean of.
    pub heads: usize,
    /// The parameters of the loss, where members differ in them.
    pub loss: [f64; 3],
}

/// The table of an epoch, and what each batch's loss is divided by: `[batches][members]` both.
#[derive(Debug, Clone, Default)]
pub struct EpochTable {
    /// What the device reads.
    pub steps: Vec<StepSettings<f64>>,
    /// The divisor of each batch's mean loss.
    pub divisors: Vec<f64>,
}

/// Members' tables side by side: `[steps][members]`. Where one is done with its rows, it has none in
/// the steps that are left, and its weights stay as they are.
pub fn side_by_side<T: Copy>(members: &[Vec<T>], idle: impl Fn(T) -> T) -> Vec<T> {
    let steps = members.iter().map(Vec::len).max().unwrap_or(0);
    let at = |step: usize| {
        let idle = &idle;
        members.iter().filter_map(move |own| {
            own.get(step).copied().or_else(|| own.last().map(|last| idle(*last)))
        })
    };
    (0..steps).flat_map(at).collect()
}

/// A step of a member that is done with its rows.
pub fn idle_step(last: StepSettings<f64>) -> StepSettings<f64> {
    StepSettings { rows: 0, accumulates: 0, updates: 0, share: 0.0, ..last }
}

impl<'a> Pace<'a> {
    /// That of some settings, but for the batches of an epoch.
    pub fn of(settings: &'a Settings) -> Self {
        Self {
            optimizer: &settings.optimizer,
            schedule: &settings.schedule,
            average: settings.training.average,
            accumulate: settings.training.accumulate,
            epoch_batches: 0,
            epochs: settings.training.epochs,
            heads: settings.model.heads,
            loss: loss_of(settings),
        }
    }
}

impl Pace<'_> {
    /// Optimizer steps of an epoch.
    pub fn epoch_steps(&self) -> usize {
        self.epoch_batches.div_ceil(self.accumulate)
    }

    /// The learning rate of a step, counted from 0 over the whole training.
    pub fn learning_rate(&self, step: u64) -> f64 {
        self.schedule.rate(
            self.optimizer.hyperparameters.learning_rate,
            step,
            self.epoch_steps() as u64,
            self.epochs as u64,
        )
    }

    /// The numbers of a step: the schedule may move the momentum, or beta1.
    fn hyperparameters(&self, step: u64) -> Hyperparameters {
        let mut numbers = self.optimizer.hyperparameters;
        let (epoch_steps, epochs) = (self.epoch_steps() as u64, self.epochs as u64);
        if let Some(momentum) = self.schedule.momentum(step, epoch_steps, epochs) {
            // Where an optimizer has neither, nothing reads it.
            if self.optimizer.takes("momentum") {
                numbers.momentum = momentum;
            } else {
                numbers.beta1 = momentum;
            }
        }
        if self.optimizer.row.orthogonalises() {
            // The table's numbers are of the tensors left to AdamW; decays are in the blocks.
            numbers.epsilon = numbers.adam_epsilon;
            numbers.weight_decay = 1.0;
        }
        numbers
    }

    /// What the optimizer works out of the number of a step (from 1), after that of the step
    /// before. Before step 1 all are 1.
    fn coefficients(&self, step: u64, before: [f64; 4]) -> [f64; 4] {
        (self.optimizer.row.coefficients)(&self.hyperparameters(step - 1), step, before)
    }

    /// Share of the new weights in the average, for a step (from 1) of an epoch (from 1).
    fn average_rate(&self, step: u64, epoch: usize, ends_epoch: bool) -> f64 {
        match self.average {
            None => 0.0,
            Some(AverageSettings::Exponential(_)) if step == 1 => 1.0,
            Some(AverageSettings::Exponential(momentum)) => 1.0 - momentum,
            Some(AverageSettings::Equal(AverageConfig { from_epoch, every })) => {
                if epoch < from_epoch {
                    return 1.0;
                }
                match every {
                    AverageEvery::Step => {
                        let before = (from_epoch - 1) * self.epoch_steps();
                        1.0 / (step - before as u64) as f64
                    }
                    AverageEvery::Epoch if epoch == from_epoch => 1.0,
                    AverageEvery::Epoch if ends_epoch => 1.0 / (epoch - from_epoch + 1) as f64,
                    AverageEvery::Epoch => 0.0,
                }
            }
        }
    }

    /// The table of an epoch (from 1). `before` are the coefficients of the step before it,
    /// `factors` what each member's learning rate is multiplied by, and `divisor(member, first,
    /// rows)` what the rows at those places of its order add to the divisor of a mean.
    pub fn training_table(
        &self,
        batches: &Batches,
        epoch: usize,
        before: [f64; 4],
        factors: &[f64],
        divisor: &dyn Fn(usize, usize, usize) -> f64,
    ) -> (EpochTable, [f64; 4]) {
        let count = batches.steps();
        let done_batches = ((epoch - 1) * self.epoch_batches) as u64;
        let done_steps = ((epoch - 1) * self.epoch_steps()) as u64;
        let mut table = EpochTable::default();
        let mut coefficients = before;
        for within in 0..count {
            let (first_row, rows) = batches.place(within);
            let group = within / self.accumulate;
            let opens = within % self.accumulate == 0;
            let closes = within + 1 == count || (within + 1) % self.accumulate == 0;
            let step = done_steps + group as u64;
            if opens {
                coefficients = self.coefficients(step + 1, coefficients);
            }
            let numbers = self.hyperparameters(step);
            let rate = self.learning_rate(step);
            let average_rate = self.average_rate(step + 1, epoch, within + 1 == count);
            let group_first = group * self.accumulate * batches.batch;
            let group_rows = (self.accumulate * batches.batch).min(batches.covered() - group_first);
            for (member, factor) in factors.iter().enumerate() {
                let own = divisor(member, within * batches.batch, rows as usize);
                let of_group =
                    if opens && closes { own } else { divisor(member, group_first, group_rows) };
                table.divisors.push(own);
                table.steps.push(StepSettings {
                    first_row,
                    rows,
                    position: (within * batches.batch) as u32,
                    // Only masks, noise and "is this the first" read them: the last value may be
                    // that of many.
                    batch: counted(done_batches + within as u64 + 1),
                    step: counted(step + 1),
                    accumulates: u32::from(!opens),
                    updates: u32::from(closes),
                    share: 1.0 / (of_group * self.heads as f64),
                    learning_rate: rate * factor,
                    weight_decay: numbers.weight_decay,
                    clip: self.optimizer.clip.map_or(f64::from(f32::MAX), |(_, value)| value),
                    epsilon: numbers.epsilon,
                    beta1: numbers.beta1,
                    beta2: numbers.beta2,
                    momentum: numbers.momentum,
                    dampening: numbers.dampening,
                    rho: numbers.rho,
                    average_rate,
                    coefficients,
                    loss: padded(self.loss),
                    ..StepSettings::default()
                });
            }
        }
        (table, coefficients)
    }
}

/// A count that fits the table, apart from the value that stands for none.
fn counted(count: u64) -> u32 {
    count.min(u64::from(u32::MAX - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_is_short_or_left_out() {
        let mut batches = Batches { rows: 10, batch: 4, drop_last: false, window: 100 };
        assert_eq!((batches.steps(), batches.covered()), (3, 10));
        let rows: Vec<_> =
            batches.evaluation_table([0.0; 3]).iter().map(|s| (s.first_row, s.rows)).collect();
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
        let firsts: Vec<_> =
            batches.evaluation_table([0.0; 3]).iter().map(|s| s.first_row).collect();
        assert_eq!(firsts, [0, 2, 0, 2, 0]);
    }
}
