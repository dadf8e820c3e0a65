//! The config, in two layers: [`Config`] as written in a JSON file, and [`Settings`] as
//! validated, with every name looked up, every default filled in, and paths resolved.

mod catalogs;
pub mod data;
mod fit;
mod locations;
mod named;
mod overrides;
mod parse;
mod problem;
mod resolved;
mod schedule;
mod settings;
mod sources;
pub mod sweep;
mod validate;
mod validate_model;
mod validate_training;
mod written;
mod written_training;

pub use catalogs::{
    Activations, Initializers, Losses, Normalizations, Optimizers, OutputActivations, Schedules,
};
pub use fit::{Monitor, Quantity, TaskSettings};
pub use named::{Catalog, Key, KeyKind, Named, Variant};
pub use settings::{
    AverageSettings, EarlyStoppingSettings, LayerSpec, ModelSettings, OptimizerSettings,
    OutputActivation, OutputSpec, Settings, TrainingSettings, WeightSettings,
    l2_gradient_coefficient,
};
pub use sources::{ClassWeights, PortionConfig, TargetConfig, TaskConfig};
pub(crate) use validate::refuse_class_weights;
pub use written::{Adapters, Config, DataConfig, LayerConfig, ModelConfig, OutputConfig};
pub use written_training::{
    AverageConfig, AverageEvery, CheckpointConfig, EarlyStoppingConfig, LogConfig, Mode,
    OnDivergence, TrainingConfig,
};

#[cfg(test)]
mod tests;
