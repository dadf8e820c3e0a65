//! Optimizers: the table. A variant is one row here, one Rust file beside it and one WGSL file in
//! `shaders/optimizers/`, all of the same name. (AdamW's formula is Adam's: they differ in their
//! defaults alone. Muon's is Adam's too, for the tensors that it does not orthogonalise.)

pub mod adadelta;
pub mod adagrad;
pub mod adam;
pub mod adamax;
pub mod adamw;
mod block;
mod hyperparameters;
pub mod lion;
pub mod muon;
pub mod nadam;
pub mod rmsprop;
pub mod sgd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::parameter::{Parameter, Range};
use crate::kernels::Real;
use crate::program::StepSettings;

pub use block::{GROUP, StepSlice};
pub use hyperparameters::Hyperparameters;

/// Whose form of an optimizer is meant, where two exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// PyTorch's formulas and defaults.
    #[default]
    Torch,
    /// Keras' formulas and defaults.
    Keras,
}

/// The forms that are fixed when the pipeline is built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct OptimizerForm {
    /// Keras' convention rather than PyTorch's.
    pub keras: bool,
    /// Momentum is not 0.
    pub with_momentum: bool,
    /// Nesterov's form.
    pub nesterov: bool,
    /// RMSprop's centered form.
    pub centered: bool,
    /// Adam's form that divides by the largest second moment so far.
    pub amsgrad: bool,
}

impl OptimizerForm {
    /// The form as WGSL constants.
    pub fn wgsl(&self) -> String {
        let Self { keras, with_momentum, nesterov, centered, amsgrad } = self;
        format!(
            "const KERAS = {keras};\nconst WITH_MOMENTUM = {with_momentum};\n\
             const NESTEROV = {nesterov};\nconst CENTERED = {centered};\n\
             const AMSGRAD = {amsgrad};\n"
        )
    }

    /// Every form that a row can have, the conventions included.
    pub fn all(row: &OptimizerRow) -> Vec<Self> {
        let takes =
            |name: &str| row.flags.contains(&name) || row.parameters.iter().any(|p| p.name == name);
        let choices = |possible: bool| if possible { vec![false, true] } else { vec![false] };
        let mut forms = Vec::new();
        for keras in [false, true] {
            for with_momentum in choices(takes("momentum")) {
                for nesterov in choices(with_momentum && takes("nesterov")) {
                    for centered in choices(takes("centered")) {
                        for amsgrad in choices(takes("amsgrad")) {
                            forms.push(Self { keras, with_momentum, nesterov, centered, amsgrad });
                        }
                    }
                }
            }
        }
        forms
    }
}

/// `(weight, gradient, moments, settings, learning rate, form) -> updated weight`.
pub type OptStep<R> = fn(R, R, [&mut R; 3], &StepSettings<R>, R, OptimizerForm) -> R;

/// One optimizer.
#[derive(Debug)]
pub struct OptimizerRow {
    /// Its name in configs and messages.
    pub name: &'static str,
    /// Its formula.
    pub formula: &'static str,
    /// Its page: the documentation of its file.
    pub page: &'static str,
    /// The variant's WGSL.
    pub wgsl: &'static str,
    /// Its numbers, the learning rate and the weight decay first.
    pub parameters: &'static [Parameter],
    /// Its switches.
    pub flags: &'static [Flag],
    /// Which of the three moments a form keeps.
    pub moments: fn(OptimizerForm) -> [bool; 3],
    /// What the moments start from.
    pub initial: fn(&Hyperparameters) -> [f64; 3],
    /// `(numbers, step from 1, coefficients of the step before) -> coefficients`: what of a step
    /// depends on its number alone, in f64. Before the first step all are 1.
    pub coefficients: fn(&Hyperparameters, u64, [f64; 4]) -> [f64; 4],
    /// Twin in f32.
    pub single: OptStep<f32>,
    /// Twin in f64.
    pub double: OptStep<f64>,
    /// The twin in f32 over many parameters.
    pub slice: StepSlice,
}

impl OptimizerRow {
    /// The numbers of the row when the config gives none.
    pub fn defaults(&self, convention: Convention) -> Hyperparameters {
        let mut numbers = Hyperparameters::default();
        for parameter in self.parameters {
            if let Some(number) = numbers.get_mut(parameter.name) {
                *number = parameter.default(convention);
            }
        }
        numbers
    }

    /// Whether the config may give that switch.
    pub fn has_flag(&self, name: &str) -> bool {
        self.flags.contains(&name)
    }

    /// Whether weight matrices are orthogonalised before the step.
    pub fn orthogonalises(&self) -> bool {
        self.name == "muon"
    }
}

/// A switch of an optimizer, by its key in the config.
pub type Flag = &'static str;

/// What a switch does.
pub fn describe_flag(name: &str) -> &'static str {
    match name {
        "nesterov" => "Nesterov's form of momentum",
        "centered" => "divides by the standard deviation of the gradients",
        "amsgrad" => "divides by the largest second moment so far",
        _ => "",
    }
}

/// The formula of a variant, generic over the float type.
trait Formula {
    /// `opt_step` of the WGSL file, for one parameter.
    fn opt_step<R: Real>(
        w: R,
        g: R,
        moments: [&mut R; 3],
        settings: &StepSettings<R>,
        learning_rate: R,
        form: OptimizerForm,
    ) -> R;
}

const fn learning_rate(torch: f64, keras: f64) -> Parameter {
    Parameter::new("learning_rate", torch, Range::Positive, "base learning rate").keras(keras)
}

const fn weight_decay(torch: f64, keras: f64) -> Parameter {
    Parameter::new("weight_decay", torch, Range::NotNegative, "decoupled weight decay").keras(keras)
}

const fn epsilon(torch: f64, keras: f64) -> Parameter {
    Parameter::new("epsilon", torch, Range::Positive, "added to a denominator").keras(keras)
}

const fn beta1(default: f64) -> Parameter {
    Parameter::new("beta1", default, Range::BelowOne, "decay of the mean of gradients")
}

const fn beta2(default: f64) -> Parameter {
    Parameter::new("beta2", default, Range::BelowOne, "decay of the mean of squared gradients")
}

const fn rho(torch: f64, keras: f64) -> Parameter {
    Parameter::new("rho", torch, Range::BelowOne, "decay of the mean of squared gradients")
        .keras(keras)
}

const fn momentum(default: f64) -> Parameter {
    Parameter::new("momentum", default, Range::BelowOne, "share of the last step kept")
}

macro_rules! row {
    ($module:ident, $wgsl:literal, $formula:literal, $moments:expr) => {
        OptimizerRow {
            name: stringify!($module),
            page: include_str!(concat!(stringify!($module), ".rs")),
            formula: $formula,
            wgsl: include_str!(concat!("../../../shaders/optimizers/", $wgsl, ".wgsl")),
            parameters: $module::PARAMETERS,
            flags: $module::FLAGS,
            moments: $moments,
            initial: $module::initial,
            coefficients: $module::coefficients,
            single: <$module::Variant as Formula>::opt_step::<f32>,
            double: <$module::Variant as Formula>::opt_step::<f64>,
            slice: block::step_slice::<$module::Variant>,
        }
    };
}

/// Every optimizer.
pub static OPTIMIZERS: [OptimizerRow; 10] = [
    row!(sgd, "sgd", "v = momentum v + (1 - dampening) g; w -= learning_rate v", |form| [
        form.with_momentum,
        false,
        false
    ]),
    row!(
        rmsprop,
        "rmsprop",
        "v = rho v + (1 - rho) g^2; w -= learning_rate g / (sqrt v + epsilon)",
        |form| [true, form.with_momentum, form.centered]
    ),
    row!(
        adam,
        "adam",
        "m, v = means of g, g^2; w -= learning_rate m^ / (sqrt v^ + epsilon)",
        |form| [true, true, form.amsgrad]
    ),
    row!(adamw, "adam", "w -= learning_rate weight_decay w; then as adam", |form| [
        true,
        true,
        form.amsgrad
    ]),
    row!(
        adamax,
        "adamax",
        "m = mean of g, u = max(beta2 u, |g|); w -= learning_rate m^ / u",
        |_| [true, true, false]
    ),
    row!(
        nadam,
        "nadam",
        "as adam, with (share of g) g + (share of m) m for m^, by Nesterov's momentum",
        |_| [true, true, false]
    ),
    row!(adagrad, "adagrad", "s += g^2; w -= learning_rate g / (sqrt s + epsilon)", |_| [
        true, false, false
    ]),
    row!(
        adadelta,
        "adadelta",
        "d = g sqrt(mean of d^2 + epsilon) / sqrt(mean of g^2 + epsilon); w -= learning_rate d",
        |_| [true, true, false]
    ),
    row!(
        lion,
        "lion",
        "w -= learning_rate sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g",
        |_| [true, false, false]
    ),
    row!(
        muon,
        "adam",
        "w -= learning_rate scale orthogonalised(momentum of G) for weight matrices; else adamw",
        |_| [true, true, false]
    ),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static OptimizerRow> {
    OPTIMIZERS.iter().find(|row| row.name == name)
}

/// Moments that start from 0.
fn zeros(_: &Hyperparameters) -> [f64; 3] {
    [0.0; 3]
}

/// No coefficients.
fn ones(_: &Hyperparameters, _: u64, _: [f64; 4]) -> [f64; 4] {
    [1.0; 4]
}

/// 1 - beta1^t and 1 - beta2^t, the bias corrections of Adam.
fn corrections(numbers: &Hyperparameters, step: u64, _: [f64; 4]) -> [f64; 4] {
    let power = |beta: f64| 1.0 - beta.powf(step as f64);
    [power(numbers.beta1), power(numbers.beta2), 1.0, 1.0]
}
