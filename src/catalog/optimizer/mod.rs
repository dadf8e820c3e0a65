//! Optimizers: the table. A variant is one row here, one Rust file beside it and one WGSL file in
//! `shaders/optimizers/` (AdamW's is Adam's: they differ in their defaults alone).

mod adam;
mod rmsprop;
mod sgd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernels::Real;
use crate::program::StepSettings;

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

/// The numbers of an optimizer; a variant reads those that [`OptimizerRow::keys`] names.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hyperparameters {
    /// Base learning rate, before the schedule.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to a denominator.
    pub epsilon: f64,
    /// Momentum.
    pub momentum: f64,
    /// Dampening of the momentum.
    pub dampening: f64,
    /// Decay of the mean of squared gradients (RMSprop; PyTorch calls it alpha).
    pub rho: f64,
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
}

impl OptimizerForm {
    /// The form as WGSL constants.
    pub fn wgsl(&self) -> String {
        format!(
            "const KERAS = {};\nconst WITH_MOMENTUM = {};\nconst NESTEROV = {};\nconst CENTERED = {};\n",
            self.keras, self.with_momentum, self.nesterov, self.centered
        )
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
    /// The variant's WGSL.
    pub wgsl: &'static str,
    /// The keys it takes beside those that all take.
    pub keys: &'static [&'static str],
    /// Its defaults, by convention.
    pub defaults: fn(Convention) -> Hyperparameters,
    /// Which of the three moments a form keeps.
    pub moments: fn(OptimizerForm) -> [bool; 3],
    /// Twin in f32.
    pub single: OptStep<f32>,
    /// Twin in f64.
    pub double: OptStep<f64>,
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

/// Every optimizer.
pub static OPTIMIZERS: [OptimizerRow; 4] = [
    OptimizerRow {
        name: "sgd",
        formula: "v = momentum v + (1 - dampening) g; w -= learning_rate v",
        wgsl: include_str!("../../../shaders/optimizers/sgd.wgsl"),
        keys: &["momentum", "dampening", "nesterov"],
        defaults: sgd::defaults,
        moments: |form| [form.with_momentum, false, false],
        single: <sgd::Variant as Formula>::opt_step::<f32>,
        double: <sgd::Variant as Formula>::opt_step::<f64>,
    },
    OptimizerRow {
        name: "rmsprop",
        formula: "v = rho v + (1 - rho) g^2; w -= learning_rate g / (sqrt v + epsilon)",
        wgsl: include_str!("../../../shaders/optimizers/rmsprop.wgsl"),
        keys: &["rho", "epsilon", "momentum", "centered"],
        defaults: rmsprop::defaults,
        moments: |form| [true, form.with_momentum, form.centered],
        single: <rmsprop::Variant as Formula>::opt_step::<f32>,
        double: <rmsprop::Variant as Formula>::opt_step::<f64>,
    },
    OptimizerRow {
        name: "adam",
        formula: "m, v = means of g, g^2; w -= learning_rate m^ / (sqrt v^ + epsilon)",
        wgsl: include_str!("../../../shaders/optimizers/adam.wgsl"),
        keys: &["beta1", "beta2", "epsilon"],
        defaults: adam::defaults,
        moments: |_| [true, true, false],
        single: <adam::Variant as Formula>::opt_step::<f32>,
        double: <adam::Variant as Formula>::opt_step::<f64>,
    },
    OptimizerRow {
        name: "adamw",
        formula: "w -= learning_rate weight_decay w; then as adam",
        wgsl: include_str!("../../../shaders/optimizers/adam.wgsl"),
        keys: &["beta1", "beta2", "epsilon"],
        defaults: adam::defaults_decayed,
        moments: |_| [true, true, false],
        single: <adam::Variant as Formula>::opt_step::<f32>,
        double: <adam::Variant as Formula>::opt_step::<f64>,
    },
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static OptimizerRow> {
    OPTIMIZERS.iter().find(|row| row.name == name)
}
