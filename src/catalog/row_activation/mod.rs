//! Activations of whole rows, for the output layer: the table. A variant is one row here, one Rust
//! file beside it and one WGSL file in `shaders/row_activations/`, all of the same name.

pub mod log_softmax;
pub mod softmax;

use crate::kernels::Real;

/// The twins of `row_act` and `row_act_grad` in one float type.
#[derive(Debug, Clone, Copy)]
pub struct RowFunctions<R> {
    /// `(inputs, outputs)` of a row.
    pub act: fn(&[R], &mut [R]),
    /// `(outputs, delta)`: turns the gradient by the outputs into that by the inputs.
    pub act_grad: fn(&[R], &mut [R]),
}

/// One activation of rows.
#[derive(Debug)]
pub struct RowActivationRow {
    /// Its name in configs, files and messages.
    pub name: &'static str,
    /// Its formula.
    pub formula: &'static str,
    /// Its page: the documentation of its file.
    pub page: &'static str,
    /// The variant's WGSL.
    pub wgsl: &'static str,
    /// Twins in f32.
    pub single: RowFunctions<f32>,
    /// Twins in f64.
    pub double: RowFunctions<f64>,
}

/// The formulas of a variant, generic over the float type.
trait Formula {
    /// `row_act` of the WGSL file.
    fn act<R: Real>(inputs: &[R], outputs: &mut [R]);
    /// `row_act_grad` of the WGSL file.
    fn act_grad<R: Real>(outputs: &[R], delta: &mut [R]);
}

macro_rules! row {
    ($module:ident, $formula:literal) => {
        RowActivationRow {
            name: stringify!($module),
            page: include_str!(concat!(stringify!($module), ".rs")),
            formula: $formula,
            wgsl: include_str!(concat!(
                "../../../shaders/row_activations/",
                stringify!($module),
                ".wgsl"
            )),
            single: RowFunctions {
                act: <$module::Variant as Formula>::act::<f32>,
                act_grad: <$module::Variant as Formula>::act_grad::<f32>,
            },
            double: RowFunctions {
                act: <$module::Variant as Formula>::act::<f64>,
                act_grad: <$module::Variant as Formula>::act_grad::<f64>,
            },
        }
    };
}

/// Every activation of rows.
pub static ROW_ACTIVATIONS: [RowActivationRow; 2] =
    [row!(softmax, "exp(x_k) / sum_j exp(x_j)"), row!(log_softmax, "x_k - log sum_j exp(x_j)")];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static RowActivationRow> {
    ROW_ACTIVATIONS.iter().find(|row| row.name == name)
}
