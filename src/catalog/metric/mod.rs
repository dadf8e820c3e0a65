//! Metrics: two tables. A *term* is what the device sums over the rows (one Rust file, one WGSL
//! file in `shaders/metrics/`); a *metric* is what the host makes of a term's mean, or of the
//! outputs of every row. Several metrics share a term: MSE, RMSE and R2 are all made of squared
//! errors. Definitions are scikit-learn's, edge cases included, unless a file says otherwise.

mod absolute_error;
mod accuracy;
pub mod classes;
mod log_loss;
pub mod multilabel;
mod outputs;
pub mod probabilities;
pub mod ranking;
pub mod regression;
mod squared_error;
mod table;

use std::cmp::Ordering;

pub use outputs::{Outputs, first_largest};
pub use table::METRICS;

use crate::config::data::Task;
use crate::kernels::Real;

/// `(logits, targets, unit) -> value` of one row.
pub type Term<R> = fn(&[R], &[R], usize) -> R;

/// What is summed over the rows on the device.
#[derive(Debug)]
pub struct TermRow {
    /// Its name; the WGSL function is `metric_{name}`.
    pub name: &'static str,
    /// The term's WGSL.
    pub wgsl: &'static str,
    /// One value for each target, or one for the row.
    pub per_output: bool,
    /// Twin in f32.
    pub single: Term<f32>,
    /// Twin in f64.
    pub double: Term<f64>,
}

impl TermRow {
    /// Values a row, for so many targets.
    pub fn width(&self, targets: usize) -> usize {
        if self.per_output { targets } else { 1 }
    }
}

/// The formula of a term, generic over the float type.
trait Formula {
    /// The row's value; `unit` counts the outputs of a per-output term.
    fn term<R: Real>(logits: &[R], targets: &[R], unit: usize) -> R;
}

macro_rules! term {
    ($module:ident, $per_output:literal) => {
        TermRow {
            name: stringify!($module),
            wgsl: include_str!(concat!("../../../shaders/metrics/", stringify!($module), ".wgsl")),
            per_output: $per_output,
            single: <$module::Variant as Formula>::term::<f32>,
            double: <$module::Variant as Formula>::term::<f64>,
        }
    };
}

/// Every term.
pub static TERMS: [TermRow; 4] = [
    term!(accuracy, false),
    term!(log_loss, false),
    term!(absolute_error, true),
    term!(squared_error, true),
];

/// Whether a metric is better small or large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Like a loss.
    Smaller,
    /// Like an accuracy.
    Larger,
}

impl Better {
    /// Whether a value is better than another: one that is no number is worse than any.
    pub fn is_better(self, one: f64, other: f64) -> bool {
        match self {
            _ if one.is_nan() => false,
            _ if other.is_nan() => true,
            Self::Smaller => one < other,
            Self::Larger => one > other,
        }
    }

    /// Their order by rank, the better one first.
    pub fn by_rank(self, one: f64, other: f64) -> Ordering {
        if self.is_better(one, other) {
            Ordering::Less
        } else if self.is_better(other, one) {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}

/// What the host knows of one output when it makes a metric of a term's mean.
#[derive(Debug, Clone, Copy)]
pub struct OutputScale {
    /// Standard deviation that the target was divided by; 1 when it was not scaled.
    pub scale: f64,
    /// Variance (of the population) of the set's scaled targets.
    pub variance: f64,
}

/// Where a metric's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// The mean of a term, which the device sums as it goes.
    Term {
        /// Index in [`TERMS`].
        term: usize,
        /// `(the term's mean over the rows, the output) -> value` of one output; the metric is
        /// the mean over the outputs, as in scikit-learn.
        finish: fn(f64, OutputScale) -> f64,
    },
    /// The outputs of every row.
    Outputs(fn(&Outputs) -> f64),
}

/// One metric.
#[derive(Debug)]
pub struct MetricRow {
    /// Its name in configs and records.
    pub name: &'static str,
    /// Its formula.
    pub formula: &'static str,
    /// The tasks it fits.
    pub tasks: &'static [Task],
    /// Which way is better.
    pub better: Better,
    /// Where its value comes from, for a task that it fits.
    pub source: fn(Task) -> Source,
}

impl MetricRow {
    /// Index of the term that it is made of, if it is made of one.
    pub fn term(&self, task: Task) -> Option<usize> {
        match (self.source)(task) {
            Source::Term { term, .. } => Some(term),
            Source::Outputs(_) => None,
        }
    }

    /// Its value on a set, when it is made of the outputs of every row; NaN for a set without rows
    /// and for predictions that are not all numbers.
    pub fn of_outputs(&self, outputs: &Outputs) -> Option<f64> {
        match (self.source)(outputs.task) {
            Source::Term { .. } => None,
            Source::Outputs(_) if !outputs.is_sound() => Some(f64::NAN),
            Source::Outputs(value) => Some(value(outputs)),
        }
    }
}

/// The row of that name.
pub fn find(name: &str) -> Option<&'static MetricRow> {
    METRICS.iter().find(|row| row.name == name)
}

/// The metrics of a task when the config names none. Log loss is left out: it is the loss.
pub fn defaults_for(task: Task) -> Vec<&'static MetricRow> {
    let names: &[&str] = match task {
        Task::Classification | Task::Binary => &["accuracy"],
        Task::Multilabel => &["accuracy", "hamming_loss"],
        Task::Regression => &["mae", "rmse", "r2"],
    };
    names.iter().filter_map(|name| find(name)).collect()
}
