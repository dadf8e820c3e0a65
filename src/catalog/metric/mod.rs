//! Metrics: two tables. A *term* is what the device sums over the rows (one Rust file, one WGSL
//! file in `shaders/metrics/`); a *metric* is what the host makes of a term's mean. Several
//! metrics share a term: MSE, RMSE and R2 are all made of squared errors.

mod absolute_error;
mod accuracy;
mod log_loss;
mod squared_error;

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
    /// One value for each output, or one for the row.
    pub per_output: bool,
    /// Twin in f32.
    pub single: Term<f32>,
    /// Twin in f64.
    pub double: Term<f64>,
}

impl TermRow {
    /// Values a row, for a network of so many outputs.
    pub fn width(&self, outputs: usize) -> usize {
        if self.per_output { outputs } else { 1 }
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

/// What the host knows of one output when it makes a metric of a term's mean.
#[derive(Debug, Clone, Copy)]
pub struct OutputScale {
    /// Standard deviation that the target was divided by; 1 when it was not scaled.
    pub scale: f64,
    /// Variance (of the population) of the set's scaled targets.
    pub variance: f64,
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
    /// Index of its term in [`TERMS`].
    pub term: usize,
    /// `(the term's mean over the rows, the output) -> value` of one output; the metric is the
    /// mean over the outputs, as in scikit-learn.
    pub finish: fn(f64, OutputScale) -> f64,
}

/// Every metric.
pub static METRICS: [MetricRow; 6] = [
    MetricRow {
        name: "accuracy",
        formula: "share of rows whose class is predicted",
        tasks: &[Task::Classification, Task::Binary],
        better: Better::Larger,
        term: 0,
        finish: |mean, _| mean,
    },
    MetricRow {
        name: "log_loss",
        formula: "mean of -log of the probability given to the row's class",
        tasks: &[Task::Classification, Task::Binary],
        better: Better::Smaller,
        term: 1,
        finish: |mean, _| mean,
    },
    MetricRow {
        name: "mae",
        formula: "mean of |prediction - target|",
        tasks: &[Task::Regression],
        better: Better::Smaller,
        term: 2,
        finish: |mean, output| mean * output.scale,
    },
    MetricRow {
        name: "mse",
        formula: "mean of (prediction - target)^2",
        tasks: &[Task::Regression],
        better: Better::Smaller,
        term: 3,
        finish: |mean, output| mean * output.scale * output.scale,
    },
    MetricRow {
        name: "rmse",
        formula: "square root of the mean of (prediction - target)^2",
        tasks: &[Task::Regression],
        better: Better::Smaller,
        term: 3,
        finish: |mean, output| mean.sqrt() * output.scale,
    },
    MetricRow {
        name: "r2",
        formula: "1 - sum of squared errors / sum of squares about the mean",
        tasks: &[Task::Regression],
        better: Better::Larger,
        term: 3,
        // scikit-learn: a constant target gives 1 for perfect predictions, else 0.
        finish: |mean, output| match (output.variance > 0.0, mean > 0.0) {
            (true, _) => 1.0 - mean / output.variance,
            (false, false) => 1.0,
            (false, true) => 0.0,
        },
    },
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static MetricRow> {
    METRICS.iter().find(|row| row.name == name)
}

/// The metrics of a task when the config names none. Log loss is left out: it is the loss.
pub fn defaults_for(task: Task) -> Vec<&'static MetricRow> {
    let names: &[&str] = match task {
        Task::Classification | Task::Binary => &["accuracy"],
        Task::Regression => &["mae", "rmse", "r2"],
    };
    names.iter().filter_map(|name| find(name)).collect()
}
