//! Initialisers: the table. A variant is one row here and one Rust file beside it, of the same
//! name, that says how the starting values are made; formula and source stand in the file's docs.
//!
//! Values are made on the host, in f64, so every device starts from the same bits.

pub mod constant;
pub mod from_file;
pub mod glorot_normal;
pub mod glorot_uniform;
pub mod he_normal;
pub mod he_uniform;
pub mod identity;
pub mod lecun_normal;
pub mod lecun_uniform;
pub mod ones;
pub mod orthogonal;
pub mod random_normal;
pub mod random_uniform;
mod sampling;
pub mod torch_linear;
pub mod truncated_normal;
pub mod zeros;

pub use sampling::Distribution;

use std::path::PathBuf;

use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};
use crate::random::Stream;

/// What starting values are made by.
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

/// How starting values are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// Each drawn on its own.
    Drawn(Distribution),
    /// Rows or columns at right angles, of this length.
    Orthogonal {
        /// Length.
        gain: f64,
    },
    /// An eye.
    Identity {
        /// The value on the diagonal.
        gain: f64,
    },
    /// Read from the file that the settings name.
    File,
}

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

/// What is wrong with a row's parameters together: which, and what is expected of it.
pub type Check = fn([f64; 2], Convention) -> Option<(usize, String)>;

/// One initialiser.
#[derive(Debug)]
pub struct InitializerRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// What the values are.
    pub formula: &'static str,
    /// Its page: the documentation of its file.
    pub page: &'static str,
    /// Its parameters, two at most.
    pub parameters: &'static [Parameter],
    /// What is asked of its parameters beyond their own ranges.
    pub check: Option<Check>,
    /// Whether it makes matrices alone, and so no biases.
    pub matrices_only: bool,
    /// Whether the config names a file, and a tensor of it.
    pub from_file: bool,
    /// How the values of a layer are made.
    pub start: fn(&Request) -> Start,
}

/// A tensor of a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorFile {
    /// The file.
    pub file: PathBuf,
    /// The tensor's name; `None` is that of the tensor it starts.
    pub tensor: Option<String>,
}

/// An initialiser with its parameters.
#[derive(Debug, Clone)]
pub struct InitializerSettings {
    /// The row.
    pub row: &'static InitializerRow,
    /// Whose form is meant, where two exist.
    pub convention: Convention,
    /// The values of the row's parameters, in their order; 0 beyond.
    pub values: [f64; 2],
    /// Where the values come from, for the row that reads a file.
    pub source: Option<TensorFile>,
}

impl InitializerSettings {
    /// The row with its defaults.
    pub fn new(row: &'static InitializerRow, convention: Convention) -> Self {
        let mut values = [0.0; 2];
        for (value, parameter) in values.iter_mut().zip(row.parameters) {
            *value = parameter.default(convention);
        }
        Self { row, convention, values, source: None }
    }

    /// How the values of a layer of `fan_in` inputs and `fan_out` units are made; its biases' too,
    /// whose fans are the layer's.
    pub fn start(&self, fan_in: usize, fan_out: usize) -> Start {
        (self.row.start)(&Request {
            fan_in: fan_in.max(1) as f64,
            fan_out: fan_out.max(1) as f64,
            convention: self.convention,
            values: self.values,
        })
    }

    /// Makes the starting values of a layer's weights, `[fan_out, fan_in]`, or of its biases,
    /// `[fan_out]`. They are a function of the stream and the layer alone; where each is drawn on
    /// its own, value i is one of the stream and i. Values of a file are left as they are:
    /// [`crate::model::read_tensor`] reads them.
    pub fn fill(&self, stream: &Stream, fan_in: usize, fan_out: usize, values: &mut [f32]) {
        match self.start(fan_in, fan_out) {
            Start::Drawn(distribution) => distribution.fill(stream, values),
            Start::Orthogonal { gain } => orthogonal::fill(gain, stream, fan_in, values),
            Start::Identity { gain } => identity::fill(gain, fan_in, values),
            Start::File => {}
        }
    }
}

macro_rules! row {
    ($module:ident, $formula:literal $(, $parameter:expr)*) => {
        InitializerRow {
            name: stringify!($module),
            page: include_str!(concat!(stringify!($module), ".rs")),
            formula: $formula,
            parameters: &[$($parameter),*],
            check: None,
            matrices_only: false,
            from_file: false,
            start: $module::start,
        }
    };
}

const MEAN: Parameter =
    Parameter::new("mean", 0.0, Range::Finite, "mean of the normal distribution");
const STDDEV: Parameter = Parameter::new(
    "stddev",
    0.05,
    Range::Positive,
    "standard deviation of the normal distribution, above 0",
);
const GAIN: Parameter =
    Parameter::new("gain", 1.0, Range::Positive, "multiplies every value, above 0");
const SCALE: Parameter =
    Parameter::new("scale", 1.0, Range::Positive, "multiplies the variance, above 0");
const LENGTH: Parameter = Parameter::new("gain", 1.0, Range::Finite, "multiplies every value");

/// Every initialiser. Defaults of the plain distributions are Keras'.
pub static INITIALIZERS: [InitializerRow; 16] = [
    row!(zeros, "0"),
    row!(ones, "1"),
    row!(
        constant,
        "value",
        Parameter::new("value", 0.0, Range::Finite, "the value of every element")
    ),
    row!(
        random_uniform,
        "U(minimum, maximum)",
        Parameter::new("minimum", -0.05, Range::Finite, "lower end"),
        Parameter::new("maximum", 0.05, Range::Finite, "upper end, above the minimum")
            .above_previous()
    ),
    row!(random_normal, "N(mean, stddev^2)", MEAN, STDDEV),
    InitializerRow {
        check: Some(truncated_normal::check),
        ..row!(
            truncated_normal,
            "N(mean, stddev^2), cut at -2 and 2 (torch) or at two stddev from the mean (keras)",
            MEAN,
            STDDEV
        )
    },
    row!(glorot_uniform, "U(+-gain sqrt(6 / (fan_in + fan_out)))", GAIN),
    row!(
        glorot_normal,
        "variance gain^2 2 / (fan_in + fan_out), normal (torch) or cut at two stddev (keras)",
        GAIN
    ),
    row!(he_uniform, "U(+-gain sqrt(6 / fan_in))", GAIN),
    row!(
        he_normal,
        "variance gain^2 2 / fan_in, normal (torch) or cut at two stddev (keras)",
        GAIN
    ),
    row!(lecun_uniform, "U(+-sqrt(3 scale / fan_in))", SCALE),
    row!(
        lecun_normal,
        "variance scale / fan_in, normal (torch) or cut at two stddev (keras)",
        SCALE
    ),
    row!(torch_linear, "U(+-1 / sqrt(fan_in))"),
    InitializerRow {
        matrices_only: true,
        ..row!(
            orthogonal,
            "gain times the Q of a normal matrix's QR decomposition: rows or columns at right angles",
            LENGTH
        )
    },
    InitializerRow {
        matrices_only: true,
        ..row!(identity, "gain where unit and input have the same index, else 0", LENGTH)
    },
    InitializerRow { from_file: true, ..row!(from_file, "a tensor of a safetensors file") },
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static InitializerRow> {
    INITIALIZERS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests;
