//! Learning-rate schedules: the table. A variant is one row here and one Rust file beside it, of
//! the same name. A schedule is a function of the step, in f64, evaluated on the host for a whole
//! epoch at a time.

mod constant;
mod cosine;

use crate::catalog::initializer::Parameter;

/// Where training stands, counted from the end of the warmup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Step, from 0.
    pub step: u64,
    /// Steps in all.
    pub total: u64,
}

impl Point {
    /// Share of the steps that are done, in [0, 1]; 1 at the end and after it.
    pub fn fraction(self) -> f64 {
        if self.step >= self.total { 1.0 } else { self.step as f64 / self.total as f64 }
    }
}

/// One schedule.
#[derive(Debug)]
pub struct ScheduleRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// Its formula, after the warmup.
    pub formula: &'static str,
    /// Its parameter, beside the warmup that all take.
    pub parameter: Option<Parameter>,
    /// `(base rate, point, parameter) -> rate`.
    pub rate: fn(f64, Point, f64) -> f64,
}

/// How long the rate rises from 0 to its base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warmup {
    /// In steps.
    Steps(u64),
    /// In epochs; a part of one is rounded to whole steps.
    Epochs(f64),
}

impl Warmup {
    /// In steps, for so many steps an epoch.
    pub fn steps(self, steps_per_epoch: u64) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => (epochs * steps_per_epoch as f64).round() as u64,
        }
    }
}

/// A schedule with its parameters.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleSettings {
    /// The row.
    pub row: &'static ScheduleRow,
    /// Linear warmup before it.
    pub warmup: Warmup,
    /// The value of the row's parameter; 0 when it takes none.
    pub value: f64,
}

impl ScheduleSettings {
    /// Learning rate of `step` (from 0) of a run of `epochs` epochs of `steps_per_epoch` steps.
    ///
    /// Of W warmup steps, step s has base s / W, so that the first has rate 0, as Keras'
    /// `CosineDecay(warmup_steps=W)` does; the schedule then runs over the remaining steps.
    pub fn rate(&self, base: f64, step: u64, steps_per_epoch: u64, epochs: u64) -> f64 {
        let warmup = self.warmup.steps(steps_per_epoch);
        if step < warmup {
            return base * (step as f64 / warmup as f64);
        }
        let total = steps_per_epoch.saturating_mul(epochs).saturating_sub(warmup);
        (self.row.rate)(base, Point { step: step - warmup, total }, self.value)
    }
}

/// Every schedule.
pub static SCHEDULES: [ScheduleRow; 2] = [
    ScheduleRow {
        name: "constant",
        formula: "learning_rate",
        parameter: None,
        rate: constant::rate,
    },
    ScheduleRow {
        name: "cosine",
        formula: "minimum + (learning_rate - minimum) (1 + cos(pi step / steps)) / 2",
        parameter: Some(Parameter {
            name: "minimum",
            default: 0.0,
            description: "the rate at the end, from 0 to the learning rate",
        }),
        rate: cosine::rate,
    },
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static ScheduleRow> {
    SCHEDULES.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, warmup: Warmup, value: f64) -> ScheduleSettings {
        ScheduleSettings { row: find(name).expect(name), warmup, value }
    }

    #[test]
    fn constant_stays() {
        let schedule = settings("constant", Warmup::Steps(0), 0.0);
        assert!((0..100).all(|step| schedule.rate(0.3, step, 10, 10) == 0.3));
    }

    #[test]
    fn cosine_falls_from_the_base_to_the_minimum() {
        let schedule = settings("cosine", Warmup::Steps(0), 0.1);
        assert_eq!(schedule.rate(0.5, 0, 10, 10), 0.5);
        assert!((schedule.rate(0.5, 50, 10, 10) - 0.3).abs() < 1e-15);
        let quarter = 0.1 + 0.4 * (1.0 + std::f64::consts::FRAC_1_SQRT_2) / 2.0;
        assert!((schedule.rate(0.5, 25, 10, 10) - quarter).abs() < 1e-15);
        assert!((schedule.rate(0.5, 100, 10, 10) - 0.1).abs() < 1e-15);
        assert!((schedule.rate(0.5, 1000, 10, 10) - 0.1).abs() < 1e-15);
    }

    #[test]
    fn warmup_rises_from_zero_and_shortens_what_follows() {
        for warmup in [Warmup::Steps(20), Warmup::Epochs(2.0)] {
            let schedule = settings("cosine", warmup, 0.0);
            assert_eq!(schedule.rate(0.5, 0, 10, 10), 0.0);
            assert_eq!(schedule.rate(0.5, 5, 10, 10), 0.125);
            assert_eq!(schedule.rate(0.5, 20, 10, 10), 0.5);
            assert!((schedule.rate(0.5, 60, 10, 10) - 0.25).abs() < 1e-15);
        }
    }

    #[test]
    fn a_warmup_longer_than_the_run_only_rises() {
        let schedule = settings("cosine", Warmup::Steps(u64::MAX), 0.0);
        assert!(schedule.rate(0.5, 99, 10, 10) < 1e-16);
        let schedule = settings("cosine", Warmup::Steps(100), 0.0);
        assert_eq!(schedule.rate(0.5, 100, 10, 10), 0.0);
    }

    #[test]
    fn rows_and_files_match() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog/schedule");
        let files = std::fs::read_dir(folder).expect("the folder of this test").count();
        assert_eq!(files, SCHEDULES.len() + 1);
    }
}
