//! Losses: the table. A variant is one row here, one Rust file beside it and one WGSL file in
//! `shaders/losses/`, all of the same name.

pub mod binary_cross_entropy;
pub mod binary_focal;
pub mod categorical_cross_entropy;
pub mod categorical_focal;
pub mod categorical_hinge;
pub mod gaussian_nll;
pub mod hinge;
pub mod huber;
pub mod kl_divergence;
pub mod log_cosh;
pub mod mae;
pub mod mape;
pub mod mse;
pub mod msle;
pub mod poisson;
pub mod quantile;
pub mod smooth_l1;
mod softmax;
pub mod squared_hinge;

use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};
use crate::config::data::Task;
use crate::kernels::Real;

pub(crate) use softmax::{class_of, from_logits};

/// `(outputs, targets, gradient, parameters) -> loss` of one row. The gradient is the row's own,
/// not yet divided by the rows of the batch; it is left alone when empty.
pub type RowLoss<R> = fn(&[R], &[R], &mut [R], [R; 3]) -> R;

/// How a loss goes over the outputs of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The mean of a function of each output and its target.
    Elementwise,
    /// A function of the softmax of all outputs, and of a class or a distribution.
    Softmax,
    /// A function of all outputs and all targets.
    Row,
}

/// One loss.
#[derive(Debug)]
pub struct LossRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// Its formula, per example.
    pub formula: &'static str,
    /// Its page: the documentation of its file.
    pub page: &'static str,
    /// The variant's WGSL.
    pub wgsl: &'static str,
    /// How it goes over the outputs.
    pub shape: Shape,
    /// The tasks it fits.
    pub tasks: &'static [Task],
    /// Its parameters, three at most.
    pub parameters: &'static [Parameter],
    /// Twin in f32.
    pub single: RowLoss<f32>,
    /// Twin in f64.
    pub double: RowLoss<f64>,
}

impl LossRow {
    /// Outputs that the network has for each target.
    pub fn outputs_per_target(&self) -> usize {
        if self.name == "gaussian_nll" { 2 } else { 1 }
    }

    /// Whether it makes sense of targets that were shifted to a mean of 0.
    pub fn takes_scaled_targets(&self) -> bool {
        !matches!(self.name, "poisson" | "msle" | "mape")
    }
}

/// A loss with its parameters.
#[derive(Debug, Clone, Copy)]
pub struct LossSettings {
    /// The row.
    pub row: &'static LossRow,
    /// The values of the row's parameters, in their order; 0 beyond.
    pub values: [f64; 3],
    /// Whether members have values of their own, in the table of steps, in place of these.
    pub by_member: bool,
}

impl LossSettings {
    /// The row with its defaults.
    pub fn new(row: &'static LossRow, convention: Convention) -> Self {
        let mut values = [0.0; 3];
        for (value, parameter) in values.iter_mut().zip(row.parameters) {
            *value = parameter.default(convention);
        }
        Self { row, values, by_member: false }
    }

    /// Whether a prediction is the exponential of an output.
    pub fn predicts_exponentials(&self) -> bool {
        self.row.name == "poisson" && self.values[0] == 1.0
    }
}

/// The formula of a variant that goes over the outputs one by one, generic over the float type.
trait Elementwise {
    /// `element_loss` of the WGSL file.
    fn loss<R: Real>(z: R, y: R, p: [R; 3]) -> R;
    /// `element_loss_grad` of the WGSL file: the derivative by the output.
    fn gradient<R: Real>(z: R, y: R, p: [R; 3]) -> R;
}

/// The formula of a variant that takes a row whole, generic over the float type.
trait RowWise {
    /// The row's loss and, unless `gradient` is empty, its gradient by the outputs.
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R], p: [R; 3]) -> R;
}

fn mean_over_outputs<E: Elementwise, R: Real>(
    logits: &[R],
    targets: &[R],
    gradient: &mut [R],
    p: [R; 3],
) -> R {
    let outputs = R::of(logits.len() as f64);
    for ((g, z), y) in gradient.iter_mut().zip(logits).zip(targets) {
        *g = E::gradient(*z, *y, p) / outputs;
    }
    logits.iter().zip(targets).map(|(z, y)| E::loss(*z, *y, p)).sum::<R>() / outputs
}

/// A target of 0 or 1 after label smoothing.
fn smoothed<R: Real>(y: R, smoothing: R) -> R {
    y * (R::one() - smoothing) + R::of(0.5) * smoothing
}

macro_rules! row {
    (Elementwise $module:ident, $formula:literal, $tasks:expr $(, $parameter:expr)*) => {
        row!(@ $module, $formula, $tasks, Shape::Elementwise,
            mean_over_outputs::<$module::Variant, f32>,
            mean_over_outputs::<$module::Variant, f64> $(, $parameter)*)
    };
    ($shape:ident $module:ident, $formula:literal, $tasks:expr $(, $parameter:expr)*) => {
        row!(@ $module, $formula, $tasks, Shape::$shape,
            <$module::Variant as RowWise>::loss::<f32>,
            <$module::Variant as RowWise>::loss::<f64> $(, $parameter)*)
    };
    (@ $module:ident, $formula:literal, $tasks:expr, $shape:expr, $single:expr, $double:expr
        $(, $parameter:expr)*) => {
        LossRow {
            name: stringify!($module),
            page: include_str!(concat!(stringify!($module), ".rs")),
            formula: $formula,
            wgsl: include_str!(concat!("../../../shaders/losses/", stringify!($module), ".wgsl")),
            shape: $shape,
            tasks: $tasks,
            parameters: &[$($parameter),*],
            single: $single,
            double: $double,
        }
    };
}

const NUMBERS: &[Task] = &[Task::Regression];
const YES_OR_NO: &[Task] = &[Task::Binary, Task::Multilabel];
const CLASSES: &[Task] = &[Task::Classification];

const SMOOTHING: Parameter =
    Parameter::new("label_smoothing", 0.0, Range::BelowOne, "share of the target spread evenly");

const fn gamma() -> Parameter {
    Parameter::new("gamma", 2.0, Range::NotNegative, "how much well-classified rows count less")
}

/// Every loss.
pub static LOSSES: [LossRow; 18] = [
    row!(Elementwise mse, "mean over outputs of (z - y)^2", NUMBERS),
    row!(Elementwise mae, "mean over outputs of |z - y|", NUMBERS),
    row!(Elementwise mape, "100 x mean over outputs of |z - y| / max(|y|, 1e-7)", NUMBERS),
    row!(Elementwise msle, "mean over outputs of (log(1 + z) - log(1 + y))^2", NUMBERS),
    row!(Elementwise log_cosh, "mean over outputs of log(cosh(z - y))", NUMBERS),
    row!(
        Elementwise huber,
        "mean over outputs of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2",
        NUMBERS,
        Parameter::new("delta", 1.0, Range::Positive, "where the square becomes a line")
    ),
    row!(
        Elementwise smooth_l1,
        "mean over outputs of e^2 / (2 beta) where |e| < beta, else |e| - beta / 2",
        NUMBERS,
        Parameter::new("beta", 1.0, Range::Positive, "where the square becomes a line")
    ),
    row!(
        Elementwise quantile,
        "mean over outputs of tau e where e = y - z > 0, else (tau - 1) e",
        NUMBERS,
        Parameter::new("tau", 0.5, Range::Between0And1, "the quantile that is predicted")
    ),
    row!(
        Elementwise poisson,
        "mean over outputs of exp(z) - y z, or z - y log(z + epsilon) without log_input",
        NUMBERS,
        Parameter::new("log_input", 1.0, Range::Flag, "outputs are logarithms of rates").keras(0.0),
        Parameter::new("epsilon", 1e-8, Range::Positive, "added to a rate").keras(1e-7)
    ),
    row!(
        Row gaussian_nll,
        "mean over targets of (log v + (m - y)^2 / v) / 2, of outputs m and log v",
        NUMBERS
    ),
    row!(
        Elementwise binary_cross_entropy,
        "mean over outputs of (1 - y) z + (1 + (pos_weight - 1) y) log(1 + exp(-z))",
        YES_OR_NO,
        Parameter::new("pos_weight", 1.0, Range::Positive, "weight of the positive class"),
        SMOOTHING
    ),
    row!(
        Elementwise binary_focal,
        "mean over outputs of weight (1 - q)^gamma x cross-entropy, q the target's probability",
        YES_OR_NO,
        gamma(),
        Parameter::new("alpha", 0.0, Range::BelowOne, "weight of the positive class; 0: unweighted"),
        SMOOTHING
    ),
    row!(Elementwise hinge, "mean over outputs of max(1 - s z, 0), s = -1 or 1", YES_OR_NO),
    row!(
        Elementwise squared_hinge,
        "mean over outputs of max(1 - s z, 0)^2, s = -1 or 1",
        YES_OR_NO
    ),
    row!(
        Softmax categorical_cross_entropy,
        "sum over classes of share (log sum_k exp(z_k) - z)",
        CLASSES,
        SMOOTHING
    ),
    row!(
        Softmax categorical_focal,
        "sum over classes of alpha share (1 - p)^gamma (-log p)",
        CLASSES,
        gamma(),
        Parameter::new("alpha", 0.25, Range::Positive, "weight of the whole"),
        SMOOTHING
    ),
    row!(
        Softmax kl_divergence,
        "sum over classes of share (log share - log p)",
        CLASSES,
        Parameter::new("epsilon", 0.0, Range::BelowOne, "least share and probability").keras(1e-7)
    ),
    row!(
        Softmax categorical_hinge,
        "max(1 + largest output of another class - the class's own, 0)",
        CLASSES
    ),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static LossRow> {
    LOSSES.iter().find(|row| row.name == name)
}

/// The name of the loss that `"auto"` stands for.
pub fn default_for(task: Task) -> &'static str {
    match task {
        Task::Regression => "mse",
        Task::Binary | Task::Multilabel => "binary_cross_entropy",
        Task::Classification => "categorical_cross_entropy",
    }
}
