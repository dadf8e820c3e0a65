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
mod reserved;
mod resolved;
mod settings;
mod sources;
mod validate;
mod validate_training;
mod written;

pub use catalogs::{Activations, Initializers, Losses, Optimizers, Schedules};
pub use fit::{Monitor, Quantity, TaskSettings};
pub use named::{Catalog, Key, KeyKind, Named, Variant};
pub use reserved::{
    ReservedCheckpoint, ReservedFalse, ReservedHistograms, ReservedNull, ReservedOne,
    ReservedPrecision,
};
pub use settings::{
    EarlyStoppingSettings, LayerSpec, ModelSettings, OptimizerSettings, OutputSpec, Settings,
    TrainingSettings, l2_gradient_coefficient,
};
pub use sources::{PortionConfig, TargetConfig};
pub use written::{
    Config, DataConfig, EarlyStoppingConfig, LayerConfig, LogConfig, Mode, ModelConfig,
    OutputConfig, TaskConfig, TrainingConfig,
};

#[cfg(test)]
mod tests;
