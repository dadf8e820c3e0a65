//! Initialisers: the table. A variant is one row here and one Rust file beside it, of the same
//! name, that says which distribution the starting values are drawn from.

mod constant;
mod glorot_normal;
mod glorot_uniform;
mod he_normal;
mod he_uniform;
mod lecun_normal;
mod lecun_uniform;
mod ones;
mod random_normal;
mod random_uniform;
mod sampling;
mod torch_linear;
mod truncated_normal;
mod zeros;

pub use sampling::Distribution;

use crate::catalog::optimizer::Convention;
use crate::random::Stream;

/// A number that a variant of a catalog takes from the config.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its key in the config.
    pub name: &'static str,
    /// Its default.
    pub default: f64,
    /// What it is.
    pub description: &'static str,
}

/// What a distribution is chosen by.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Inputs of the layer.
    pub fan_in: f64,
    /// Units of the layer.
    pub fan_out: f64,
    /// Whose form is meant, where two exist.
    pub convention: Convention,
    /// The values of the row's parameters, in their order.
    pub values: [f64; 2],
}

/// Standard deviation of a standard normal number cut at -2 and 2.
const STDDEV_CUT_AT_2: f64 = 0.879_625_661_034_239_8;

impl Request {
    /// The normal distribution that variance scaling means. PyTorch: plain. Keras: cut at two
    /// standard deviations, and widened first so that the variance after the cut is `variance`.
    fn normal_of_variance(&self, variance: f64) -> Distribution {
        match self.convention {
            Convention::Torch => Distribution::Normal { mean: 0.0, stddev: variance.sqrt() },
            Convention::Keras => {
                let stddev = variance.sqrt() / STDDEV_CUT_AT_2;
                let limit = 2.0 * stddev;
                Distribution::TruncatedNormal { mean: 0.0, stddev, minimum: -limit, maximum: limit }
            }
        }
    }
}

/// One initialiser.
#[derive(Debug)]
pub struct InitializerRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// What the values are drawn from.
    pub formula: &'static str,
    /// Its parameters, two at most.
    pub parameters: &'static [Parameter],
    /// The distribution for a layer.
    pub distribution: fn(&Request) -> Distribution,
}

/// An initialiser with its parameters.
#[derive(Debug, Clone, Copy)]
pub struct InitializerSettings {
    /// The row.
    pub row: &'static InitializerRow,
    /// Whose form is meant, where two exist.
    pub convention: Convention,
    /// The values of the row's parameters, in their order; 0 beyond.
    pub values: [f64; 2],
}

impl InitializerSettings {
    /// The row with its defaults.
    pub fn new(row: &'static InitializerRow, convention: Convention) -> Self {
        let mut values = [0.0; 2];
        for (value, parameter) in values.iter_mut().zip(row.parameters) {
            *value = parameter.default;
        }
        Self { row, convention, values }
    }

    /// What the values of a layer of `fan_in` inputs and `fan_out` units are drawn from; of its
    /// biases too, whose fans are the layer's.
    pub fn distribution(&self, fan_in: usize, fan_out: usize) -> Distribution {
        (self.row.distribution)(&Request {
            fan_in: fan_in.max(1) as f64,
            fan_out: fan_out.max(1) as f64,
            convention: self.convention,
            values: self.values,
        })
    }

    /// Draws the starting values of a layer's weights, or of its biases. Value i is a function of
    /// the stream and i alone.
    pub fn fill(&self, stream: &Stream, fan_in: usize, fan_out: usize, values: &mut [f32]) {
        self.distribution(fan_in, fan_out).fill(stream, values);
    }
}

macro_rules! row {
    ($module:ident, $formula:literal $(, $parameter:expr)*) => {
        InitializerRow {
            name: stringify!($module),
            formula: $formula,
            parameters: &[$($parameter),*],
            distribution: $module::distribution,
        }
    };
}

const fn parameter(name: &'static str, default: f64, description: &'static str) -> Parameter {
    Parameter { name, default, description }
}

const MEAN: Parameter = parameter("mean", 0.0, "mean of the normal distribution");
const STDDEV: Parameter =
    parameter("stddev", 0.05, "standard deviation of the normal distribution, above 0");

/// Every initialiser. Defaults of the plain distributions are Keras'.
pub static INITIALIZERS: [InitializerRow; 13] = [
    row!(zeros, "0"),
    row!(ones, "1"),
    row!(constant, "value", parameter("value", 0.0, "the value of every element")),
    row!(
        random_uniform,
        "U(minimum, maximum)",
        parameter("minimum", -0.05, "lower end"),
        parameter("maximum", 0.05, "upper end, above the minimum")
    ),
    row!(random_normal, "N(mean, stddev^2)", MEAN, STDDEV),
    row!(
        truncated_normal,
        "N(mean, stddev^2), cut at -2 and 2 (torch) or at two stddev from the mean (keras)",
        MEAN,
        STDDEV
    ),
    row!(glorot_uniform, "U(+-sqrt(6 / (fan_in + fan_out)))"),
    row!(
        glorot_normal,
        "variance 2 / (fan_in + fan_out), normal (torch) or cut at two stddev (keras)"
    ),
    row!(he_uniform, "U(+-sqrt(6 / fan_in))"),
    row!(he_normal, "variance 2 / fan_in, normal (torch) or cut at two stddev (keras)"),
    row!(lecun_uniform, "U(+-sqrt(3 / fan_in))"),
    row!(lecun_normal, "variance 1 / fan_in, normal (torch) or cut at two stddev (keras)"),
    row!(torch_linear, "U(+-1 / sqrt(fan_in))"),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static InitializerRow> {
    INITIALIZERS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests;
