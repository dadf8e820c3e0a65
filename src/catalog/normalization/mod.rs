//! Normalisations of a layer's sums before its activation: the table. A variant is one row here,
//! one Rust file beside it and one WGSL file in `shaders/normalizations/`, all of the same name.

pub mod batch_norm;
pub mod layer_norm;
pub mod rms_norm;

use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};

/// One normalisation.
#[derive(Debug)]
pub struct NormalizationRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// Its formula.
    pub formula: &'static str,
    /// Its page: the documentation of its file.
    pub page: &'static str,
    /// The variant's WGSL: the flags below as constants.
    pub wgsl: &'static str,
    /// Statistics are over the batch, a unit at a time, with running ones for evaluation; else
    /// over the units, a row at a time.
    pub by_column: bool,
    /// The mean is taken off.
    pub centered: bool,
    /// A shift is learned beside the scale.
    pub has_shift: bool,
    /// Its parameters: the epsilon, then the momentum of running statistics.
    pub parameters: &'static [Parameter],
}

/// A normalisation with its parameters.
#[derive(Debug, Clone, Copy)]
pub struct NormalizationSettings {
    /// The row.
    pub row: &'static NormalizationRow,
    /// Whose form is meant.
    pub convention: Convention,
    /// The values of the row's parameters, in their order; 0 beyond.
    pub values: [f64; 2],
}

impl NormalizationSettings {
    /// The row with its defaults.
    pub fn new(row: &'static NormalizationRow, convention: Convention) -> Self {
        let mut values = [0.0; 2];
        for (value, parameter) in values.iter_mut().zip(row.parameters) {
            *value = parameter.default(convention);
        }
        Self { row, convention, values }
    }

    /// Added to the variance.
    pub fn epsilon(&self) -> f64 {
        self.values[0]
    }

    /// Share of a batch in the running statistics. PyTorch's momentum is that share, Keras' is the
    /// share of what was there before.
    pub fn rate(&self) -> f64 {
        match self.convention {
            Convention::Torch => self.values[1],
            Convention::Keras => 1.0 - self.values[1],
        }
    }
}

const fn epsilon(torch: f64, keras: f64) -> Parameter {
    Parameter::new("epsilon", torch, Range::Positive, "added to the variance").keras(keras)
}

macro_rules! row {
    ($module:ident, $formula:literal) => {
        NormalizationRow {
            name: stringify!($module),
            page: include_str!(concat!(stringify!($module), ".rs")),
            formula: $formula,
            wgsl: include_str!(concat!(
                "../../../shaders/normalizations/",
                stringify!($module),
                ".wgsl"
            )),
            by_column: $module::BY_COLUMN,
            centered: $module::CENTERED,
            has_shift: $module::HAS_SHIFT,
            parameters: $module::PARAMETERS,
        }
    };
}

/// Every normalisation.
pub static NORMALIZATIONS: [NormalizationRow; 3] = [
    row!(batch_norm, "scale (x - mean of the batch) / sqrt(its variance + epsilon) + shift"),
    row!(layer_norm, "scale (x - mean of the units) / sqrt(their variance + epsilon) + shift"),
    row!(rms_norm, "scale x / sqrt(mean of the units' squares + epsilon)"),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static NormalizationRow> {
    NORMALIZATIONS.iter().find(|row| row.name == name)
}
