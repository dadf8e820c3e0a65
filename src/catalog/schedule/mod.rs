//! Learning-rate schedules: the table. A variant is one row here and one Rust file beside it, of
//! the same name, whose page says its formula and where it comes from. A schedule is a function of
//! the step, in f64, evaluated on the host for a whole epoch at a time; only
//! [`reduce_on_plateau`] also looks at what training made of it.

pub mod constant;
pub mod cosine;
pub mod cosine_restarts;
pub mod coslog4;
pub mod exponential;
pub mod flat_cos;
pub mod inverse_time;
mod keys;
pub mod linear;
pub mod multi_step;
pub mod noam;
pub mod one_cycle;
pub mod piecewise;
pub mod polynomial;
pub mod reduce_on_plateau;
pub mod step;

pub use keys::{At, Length, ScheduleKey, Value};

use crate::catalog::optimizer::Convention;
use reduce_on_plateau::PlateauSettings;

/// One schedule.
#[derive(Debug)]
pub struct ScheduleRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// Its formula, after the warmup.
    pub formula: &'static str,
    /// Its page: the documentation of its file.
    pub page: &'static str,
    /// Its keys, beside the warmup's that all take.
    pub keys: &'static [ScheduleKey],
    /// Steps that the warmup has by default, for a row whose formula has a warmup of its own;
    /// `None` for a row that a linear warmup comes before.
    pub own_warmup: Option<u64>,
    /// The learning rate of a step.
    pub rate: fn(&At) -> f64,
    /// The momentum (beta1 of Adam) of a step, for a row that moves it.
    pub momentum: Option<fn(&At) -> Option<f64>>,
}

impl ScheduleRow {
    /// A row without keys, to be filled in.
    const PLAIN: Self = Self {
        name: "",
        formula: "",
        page: "",
        keys: &[],
        own_warmup: None,
        rate: |at| at.base,
        momentum: None,
    };
}

/// A schedule with the values of its keys.
#[derive(Debug, Clone)]
pub struct ScheduleSettings {
    /// The row.
    pub row: &'static ScheduleRow,
    /// Whose defaults and, of [`reduce_on_plateau`], whose form.
    pub convention: Convention,
    /// How long the rate rises first.
    pub warmup: Length,
    /// The values of the row's keys, in their order.
    pub values: Vec<Value>,
}

impl ScheduleSettings {
    /// The row with its defaults, for a base rate.
    pub fn new(
        row: &'static ScheduleRow,
        convention: Convention,
        base: f64,
        has_validation: bool,
    ) -> Self {
        let values =
            row.keys.iter().map(|key| key.default(convention, base, has_validation)).collect();
        Self { row, convention, warmup: Length::Steps(row.own_warmup.unwrap_or(0)), values }
    }

    /// Learning rate of `step` (from 0) of a run of `epochs` epochs of `steps_per_epoch` steps.
    ///
    /// Of W warmup steps, step s has first s / W, where `first` is the rate that the schedule
    /// starts from (the base rate, for most), so that the first step has rate 0, as Keras'
    /// `CosineDecay(warmup_steps=W)` does; the schedule then runs over the remaining steps. Noam's
    /// warmup is its own.
    pub fn rate(&self, base: f64, step: u64, steps_per_epoch: u64, epochs: u64) -> f64 {
        let (at, risen) = self.at(base, step, steps_per_epoch, epochs);
        let rate = (self.row.rate)(&at);
        if risen < 1.0 { rate * risen } else { rate }
    }

    /// Momentum, or beta1 of Adam, of `step`; `None` where the schedule leaves it alone. During
    /// the warmup it is that of the schedule's first step.
    pub fn momentum(&self, step: u64, steps_per_epoch: u64, epochs: u64) -> Option<f64> {
        let (at, _) = self.at(1.0, step, steps_per_epoch, epochs);
        self.row.momentum.and_then(|momentum| momentum(&at))
    }

    /// The numbers of [`reduce_on_plateau`], when that is the schedule.
    pub fn plateau(&self) -> Option<PlateauSettings> {
        let (at, _) = self.at(1.0, 0, 1, 1);
        (self.row.name == reduce_on_plateau::ROW.name)
            .then(|| PlateauSettings::of(&at, self.convention))
    }

    /// Where a step stands, and which share of the warmup before the schedule is done.
    fn at(&self, base: f64, step: u64, steps_per_epoch: u64, epochs: u64) -> (At<'_>, f64) {
        let run = steps_per_epoch.saturating_mul(epochs);
        let warmup = self.warmup.steps(steps_per_epoch, run);
        let at = At { base, step, total: run, steps_per_epoch, warmup, values: &self.values };
        if self.row.own_warmup.is_some() {
            return (At { warmup: warmup.max(1), ..at }, 1.0);
        }
        let total = run.saturating_sub(warmup);
        let risen = if step < warmup { step as f64 / warmup as f64 } else { 1.0 };
        (At { step: step.saturating_sub(warmup), total, ..at }, risen)
    }

    /// What of the schedule a run of that length does not come to, a sentence each: a warmup, a
    /// period or a length longer than the run, milestones after it, a patience that it cannot
    /// spend.
    pub fn warnings(&self, steps_per_epoch: u64, epochs: u64) -> Vec<String> {
        let (at, _) = self.at(1.0, 0, steps_per_epoch, epochs);
        let name = self.row.name;
        let run = steps_per_epoch.saturating_mul(epochs);
        if at.warmup >= run && at.warmup > 1 {
            return vec![format!(
                "schedule {name}: the warmup takes {} steps, the whole run has {run}",
                at.warmup
            )];
        }
        let total = at.total;
        let mut warnings = Vec::new();
        let mut note = |key: &str, length: Length| {
            let steps = length.steps(steps_per_epoch, total);
            if steps > total && !matches!(length, Length::Share(_)) {
                warnings.push(format!(
                    "schedule {name}: {key} is at {steps} steps, the run has {total} after the \
                     warmup: it ends before"
                ));
            }
        };
        for (key, value) in self.row.keys.iter().zip(&self.values) {
            let named = |length: Length| match (key, length) {
                (
                    ScheduleKey::Length { steps, .. } | ScheduleKey::Points { steps, .. },
                    Length::Steps(_),
                ) => *steps,
                (ScheduleKey::Length { epochs, .. } | ScheduleKey::Points { epochs, .. }, _) => {
                    *epochs
                }
                _ => "",
            };
            match value {
                Value::Length(length) => note(named(*length), *length),
                Value::Points(points) => points
                    .iter()
                    .enumerate()
                    .for_each(|(i, point)| note(&format!("{}[{i}]", named(*point)), *point)),
                _ => {}
            }
        }
        if let Some(plateau) = self.plateau()
            && plateau.patience >= epochs
        {
            warnings.push(format!(
                "schedule {name}: a patience of {} epochs is never spent in {epochs}: the rate \
                 stays",
                plateau.patience
            ));
        }
        warnings
    }
}

/// Every schedule.
pub static SCHEDULES: [ScheduleRow; 15] = [
    constant::ROW,
    step::ROW,
    multi_step::ROW,
    piecewise::ROW,
    exponential::ROW,
    inverse_time::ROW,
    polynomial::ROW,
    linear::ROW,
    cosine::ROW,
    cosine_restarts::ROW,
    one_cycle::ROW,
    noam::ROW,
    flat_cos::ROW,
    coslog4::ROW,
    reduce_on_plateau::ROW,
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static ScheduleRow> {
    SCHEDULES.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests;
