//! Activations: the table. A variant is one row here, one Rust file beside it and one WGSL file
//! in `shaders/activations/`, all of the same name.

mod gelu;
mod leaky_relu;
mod linear;
mod relu;
mod sigmoid;
mod silu;
mod tanh;

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
    pub act_grad_slice: fn(&mut [R], &[R], &[R], [R; 2]),
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
    /// The variant's WGSL.
    pub wgsl: &'static str,
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

/// The formulas of a variant, generic over the float type.
trait Formula {
    /// `act` of the WGSL file.
    fn act<R: Real>(x: R, p: [R; 2]) -> R;
    /// `act_grad` of the WGSL file.
    fn act_grad<R: Real>(x: R, y: R, p: [R; 2]) -> R;
}

const fn functions<F: Formula, R: Real>() -> Functions<R> {
    Functions {
        act: F::act::<R>,
        act_grad: F::act_grad::<R>,
        act_slice: |values, p| values.iter_mut().for_each(|x| *x = F::act(*x, p)),
        act_grad_slice: |delta, x, y, p| {
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
    }
}

macro_rules! row {
    ($module:ident, $formula:literal, $from:ident, $initializer:literal $(, $parameter:expr)*) => {
        ActivationRow {
            name: stringify!($module),
            formula: $formula,
            wgsl: include_str!(concat!(
                "../../../shaders/activations/",
                stringify!($module),
                ".wgsl"
            )),
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

/// Every activation of a hidden layer.
pub static ACTIVATIONS: [ActivationRow; 7] = [
    row!(linear, "x", Output, "glorot_uniform"),
    row!(relu, "max(x, 0)", Output, "he_uniform"),
    row!(leaky_relu, "x >= 0 ? x : slope x", Output, "he_uniform", SLOPE),
    row!(tanh, "tanh(x)", Output, "glorot_uniform"),
    row!(sigmoid, "1 / (1 + exp(-x))", Output, "glorot_uniform"),
    row!(gelu, "x (1 + erf(x / sqrt 2)) / 2", Input, "he_uniform"),
    row!(silu, "x / (1 + exp(-x))", Input, "he_uniform"),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static ActivationRow> {
    ACTIVATIONS.iter().find(|row| row.name == name)
}
