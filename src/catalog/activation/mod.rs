//! Activations: the table. A variant is one row here, one Rust file beside it and one WGSL file
//! in `shaders/activations/`, all of the same name; formula and source stand in the file's docs.
//!
//! Values and derivatives are within a few units in the last place of the formula over all of f32,
//! on every backend; `tests/activations.rs` holds each row's bounds. Infinities give the limit, NaN
//! gives NaN, and what is below the smallest normal number may become 0.

pub mod celu;
pub mod elu;
pub mod gelu;
pub mod gelu_tanh;
pub mod hard_sigmoid;
pub mod hard_silu;
pub mod hard_tanh;
pub mod leaky_relu;
pub mod linear;
pub mod log_sigmoid;
pub mod mish;
pub mod prelu;
pub mod relu;
pub mod relu6;
pub mod selu;
pub mod sigmoid;
pub mod silu;
pub mod softplus;
pub mod softsign;
mod special;
pub mod tanh;

use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};
use crate::kernels::Real;

/// What the derivative is a function of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GradientFrom {
    /// Of the layer's output, which is stored anyway.
    Output,
    /// Of the input of the activation, which is then stored beside the output.
    Input,
}

/// `act_grad` over slices.
pub type GradSlice<R> = fn(&mut [R], &[R], &[R], [R; 2]);

/// The twins of `act` and `act_grad` in one float type.
#[derive(Debug, Clone, Copy)]
pub struct Functions<R> {
    /// `(x, parameters) -> y`.
    pub act: fn(R, [R; 2]) -> R,
    /// `(x, y, parameters) -> dy/dx`.
    pub act_grad: fn(R, R, [R; 2]) -> R,
    /// `act` of each element, in place.
    pub act_slice: fn(&mut [R], [R; 2]),
    /// `(delta, x, y, parameters)`: multiplies each delta by its `act_grad`; `x` may be empty when the
    /// derivative is a function of the output.
    pub act_grad_slice: GradSlice<R>,
}

/// An activation with its parameters.
#[derive(Debug, Clone, Copy)]
pub struct ActivationSettings {
    /// The row.
    pub row: &'static ActivationRow,
    /// The values of the row's parameters, in their order; 0 beyond.
    pub values: [f64; 2],
}

impl ActivationSettings {
    /// The row with its defaults.
    pub fn new(row: &'static ActivationRow, convention: Convention) -> Self {
        let mut values = [0.0; 2];
        for (value, parameter) in values.iter_mut().zip(row.parameters) {
            *value = parameter.default(convention);
        }
        Self { row, values }
    }

    /// The identity.
    pub fn linear() -> Self {
        Self::new(&ACTIVATIONS[0], Convention::Torch)
    }
}

/// One activation.
#[derive(Debug)]
pub struct ActivationRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// Its formula.
    pub formula: &'static str,
    /// Its page: the documentation of its file.
    pub page: &'static str,
    /// The variant's WGSL.
    pub wgsl: &'static str,
    /// Files of `shaders/` that the WGSL calls, in the order they are needed.
    pub shared: &'static [&'static str],
    /// What its derivative needs.
    pub gradient_from: GradientFrom,
    /// Its parameters, two at most.
    pub parameters: &'static [Parameter],
    /// The initialiser of a kernel that feeds it, unless the config names one.
    pub default_initializer: &'static str,
    /// Twins in f32.
    pub single: Functions<f32>,
    /// Twins in f64.
    pub double: Functions<f64>,
}

impl ActivationRow {
    /// Whether its parameter is learned, starting from the one given.
    pub fn is_learned(&self) -> bool {
        self.name == "prelu"
    }
}

/// The formulas of a variant, generic over the float type.
trait Formula {
    /// `act` of the WGSL file.
    fn act<R: Real>(x: R, p: [R; 2]) -> R;
    /// `act_grad` of the WGSL file.
    fn act_grad<R: Real>(x: R, y: R, p: [R; 2]) -> R;
}

/// `act` of each element, in the vectors of the processor at hand.
fn act_slice<F: Formula, R: Real>(values: &mut [R], p: [R; 2]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || values.iter_mut().for_each(|x| *x = F::act(*x, p)),
    );
}

fn act_grad_slice<F: Formula, R: Real>(delta: &mut [R], x: &[R], y: &[R], p: [R; 2]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            if x.is_empty() {
                for (d, y) in delta.iter_mut().zip(y) {
                    *d *= F::act_grad(R::zero(), *y, p);
                }
            } else {
                for ((d, x), y) in delta.iter_mut().zip(x).zip(y) {
                    *d *= F::act_grad(*x, *y, p);
                }
            }
        },
    );
}

const fn functions<F: Formula, R: Real>() -> Functions<R> {
    Functions {
        act: F::act::<R>,
        act_grad: F::act_grad::<R>,
        act_slice: act_slice::<F, R>,
        act_grad_slice: act_grad_slice::<F, R>,
    }
}

macro_rules! row {
    (
        $module:ident, $formula:literal, $from:ident, $initializer:literal,
        [$($shared:literal),*], [$($parameter:expr),*]
    ) => {
        ActivationRow {
            name: stringify!($module),
            page: include_str!(concat!(stringify!($module), ".rs")),
            formula: $formula,
            wgsl: include_str!(concat!(
                "../../../shaders/activations/",
                stringify!($module),
                ".wgsl"
            )),
            shared: &[$(concat!("shared/", $shared, ".wgsl")),*],
            gradient_from: GradientFrom::$from,
            parameters: &[$($parameter),*],
            default_initializer: $initializer,
            single: functions::<$module::Variant, f32>(),
            double: functions::<$module::Variant, f64>(),
        }
    };
}

const SLOPE: Parameter =
    Parameter::new("slope", 0.01, Range::NotNegative, "slope of the negative side").keras(0.2);
const ALPHA: Parameter =
    Parameter::new("alpha", 1.0, Range::NotNegative, "minus the limit of the negative side");
const BETA: Parameter =
    Parameter::new("beta", 1.0, Range::Positive, "steepness of the bend, which is 1 / beta wide");
const MINIMUM: Parameter =
    Parameter::new("minimum", -1.0, Range::Finite, "the value of all that is below it");
const MAXIMUM: Parameter = Parameter::new(
    "maximum",
    1.0,
    Range::Finite,
    "the value of all that is above it; above the minimum",
)
.above_previous();

/// Every activation of a hidden layer.
pub static ACTIVATIONS: [ActivationRow; 20] = [
    row!(linear, "x", Output, "glorot_uniform", [], []),
    row!(relu, "max(x, 0)", Output, "he_uniform", [], []),
    row!(relu6, "min(max(x, 0), 6)", Input, "he_uniform", [], []),
    row!(leaky_relu, "x >= 0 ? x : slope x", Output, "he_uniform", [], [SLOPE]),
    row!(
        prelu,
        "x >= 0 ? x : slope x, slope learned",
        Input,
        "he_uniform",
        [],
        [Parameter::new("slope", 0.25, Range::Finite, "what the learned slope starts from")
            .keras(0.0)]
    ),
    row!(elu, "x > 0 ? x : alpha (e^x - 1)", Input, "he_uniform", ["exp"], [ALPHA]),
    row!(
        celu,
        "x > 0 ? x : alpha (e^(x / alpha) - 1)",
        Input,
        "he_uniform",
        ["exp"],
        [Parameter { range: Range::Positive, ..ALPHA }]
    ),
    row!(selu, "1.0507 (x > 0 ? x : 1.67326 (e^x - 1))", Input, "lecun_normal", ["exp"], []),
    row!(gelu, "x (1 + erf(x / sqrt 2)) / 2", Input, "he_uniform", ["exp", "normal"], []),
    row!(
        gelu_tanh,
        "x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2",
        Input,
        "he_uniform",
        ["exp"],
        []
    ),
    row!(silu, "x / (1 + exp(-x))", Input, "he_uniform", ["exp"], []),
    row!(mish, "x tanh(log(1 + e^x))", Input, "he_uniform", ["exp"], []),
    row!(
        softplus,
        "log(1 + e^(beta x)) / beta",
        Output,
        "he_uniform",
        ["exp", "log1p_ratio"],
        [BETA]
    ),
    row!(softsign, "x / (1 + |x|)", Input, "glorot_uniform", [], []),
    row!(log_sigmoid, "log(1 / (1 + e^-x))", Output, "glorot_uniform", ["exp", "log1p_ratio"], []),
    row!(tanh, "tanh(x)", Output, "glorot_uniform", ["exp"], []),
    row!(sigmoid, "1 / (1 + exp(-x))", Output, "glorot_uniform", ["exp"], []),
    row!(hard_sigmoid, "min(max(x + 3, 0), 6) / 6", Input, "glorot_uniform", [], []),
    row!(hard_silu, "x min(max(x + 3, 0), 6) / 6", Input, "he_uniform", [], []),
    row!(
        hard_tanh,
        "min(max(x, minimum), maximum)",
        Input,
        "glorot_uniform",
        [],
        [MINIMUM, MAXIMUM]
    ),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static ActivationRow> {
    ACTIVATIONS.iter().find(|row| row.name == name)
}
