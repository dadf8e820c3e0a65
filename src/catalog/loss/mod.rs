//! Losses: the table. A variant is one row here, one Rust file beside it and one WGSL file in
//! `shaders/losses/`, all of the same name.

mod binary_cross_entropy;
mod categorical_cross_entropy;
mod mse;

use crate::config::data::Task;
use crate::kernels::Real;

pub(crate) use binary_cross_entropy::from_logit;
pub(crate) use categorical_cross_entropy::{class_of, from_logits};

/// `(logits, targets, gradient) -> loss` of one row. The gradient is the row's own, not yet
/// divided by the rows of the batch; it is left alone when empty.
pub type RowLoss<R> = fn(&[R], &[R], &mut [R]) -> R;

/// One loss.
#[derive(Debug)]
pub struct LossRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// Its formula, per example.
    pub formula: &'static str,
    /// The variant's WGSL.
    pub wgsl: &'static str,
    /// The tasks it fits.
    pub tasks: &'static [Task],
    /// Twin in f32.
    pub single: RowLoss<f32>,
    /// Twin in f64.
    pub double: RowLoss<f64>,
}

/// The formula of a variant, generic over the float type.
trait Formula {
    /// The row's loss and, unless `gradient` is empty, its gradient by the logits.
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R]) -> R;
}

macro_rules! row {
    ($module:ident, $formula:literal, $tasks:expr) => {
        LossRow {
            name: stringify!($module),
            formula: $formula,
            wgsl: include_str!(concat!("../../../shaders/losses/", stringify!($module), ".wgsl")),
            tasks: $tasks,
            single: <$module::Variant as Formula>::loss::<f32>,
            double: <$module::Variant as Formula>::loss::<f64>,
        }
    };
}

/// Every loss.
pub static LOSSES: [LossRow; 3] = [
    row!(mse, "mean over outputs of (z - y)^2", &[Task::Regression]),
    row!(
        binary_cross_entropy,
        "mean over outputs of max(z, 0) - z y + log(1 + exp(-|z|))",
        &[Task::Binary]
    ),
    row!(categorical_cross_entropy, "log sum_k exp(z_k) - z_class", &[Task::Classification]),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static LossRow> {
    LOSSES.iter().find(|row| row.name == name)
}

/// The loss that `"auto"` stands for.
pub fn default_for(task: Task) -> &'static LossRow {
    match task {
        Task::Regression => &LOSSES[0],
        Task::Binary => &LOSSES[1],
        Task::Classification => &LOSSES[2],
    }
}
