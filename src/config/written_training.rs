//! The half of the config as written that says how it is trained and what is kept of that: serde types,
//! of which the JSON Schema is made too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::program::Precision;

/// Length and batches of the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Epochs at most.
    #[schemars(range(min = 1))]
    pub epochs: usize,
    /// Rows a step.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Whether a last batch that is not full is left out.
    pub drop_last: bool,
    /// What the data, the activations and their gradients are stored in on the device; weights, sums
    /// and losses are f32 in either. `f16` wants a GPU with 16-bit floats.
    pub precision: Precision,
    /// Momentum in (0, 1) of an exponential moving average of the weights, which is evaluated and
    /// kept in their place; `null` is none.
    pub ema: Option<f64>,
    /// An equal average of the weights over the last epochs, in place of `ema`; `null` is none.
    pub average: Option<AverageConfig>,
    /// Batches whose gradients make one step.
    #[schemars(range(min = 1))]
    pub accumulate: usize,
    /// What follows when the loss, the gradient or a weight is no longer finite.
    pub on_divergence: OnDivergence,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch_size: 64,
            drop_last: false,
            precision: Precision::F32,
            ema: None,
            average: None,
            accumulate: 1,
            on_divergence: OnDivergence::Stop,
        }
    }
}

/// What follows when a number is no longer finite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDivergence {
    /// Training stops.
    #[default]
    Stop,
    /// Training goes on from the end of the last epoch with half the learning rate, five times at most.
    /// Of a single network.
    Restart,
}

/// An equal average of the weights: of Polyak and Ruppert a step, SWA an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AverageConfig {
    /// The first epoch, from 1, that is averaged; until then the weights are as they are.
    #[schemars(range(min = 1))]
    pub from_epoch: usize,
    /// After what the weights are taken in.
    #[serde(default)]
    pub every: AverageEvery,
}

/// After what the weights are taken into their average.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AverageEvery {
    /// After every step.
    Step,
    /// At the end of every epoch.
    #[default]
    Epoch,
}

/// Early stopping, as in Keras.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStoppingConfig {
    /// What is watched: `loss` or a metric, of the validation set with `val_` before it.
    pub monitor: String,
    /// Whether smaller or larger is better.
    pub mode: Mode,
    /// Epochs without improvement after which training stops.
    pub patience: usize,
    /// What a value must be better by to count, in the monitor's unit.
    #[schemars(range(min = 0))]
    pub min_delta: f64,
    /// Whether the best epoch's weights are put back at the end.
    pub restore_best: bool,
    /// Epochs to leave out at the start.
    pub start_from_epoch: usize,
    /// A value that must be beaten for the count of epochs to begin anew.
    pub baseline: Option<f64>,
}

impl Default for EarlyStoppingConfig {
    fn default() -> Self {
        Self {
            monitor: "val_loss".to_owned(),
            mode: Mode::Auto,
            patience: 10,
            min_delta: 0.0,
            restore_best: true,
            start_from_epoch: 0,
            baseline: None,
        }
    }
}

/// Which way a monitored value is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The monitor's own way.
    #[default]
    Auto,
    /// Smaller is better.
    Min,
    /// Larger is better.
    Max,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A record every so many steps; 0 is none.
    pub every_steps: usize,
    /// Whether event files for TensorBoard are written.
    pub tensorboard: bool,
    /// Epochs between two looks inside the network: at its weights, gradients and activations; 0 is
    /// none.
    pub histograms_every: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { every_steps: 0, tensorboard: true, histograms_every: 1 }
    }
}

/// When the whole state of the training is kept. It is kept at the training's end, too, and when it
/// is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Epochs between two checkpoints.
    #[schemars(range(min = 1))]
    pub every_epochs: usize,
    /// Seconds between two checkpoints at least: an epoch that ends earlier has none. They grow to
    /// 50 times what the last one took, so that checkpoints take at most 2 % of the time. 0: every
    /// such epoch has one, whatever it takes.
    #[schemars(range(min = 0))]
    pub every_seconds: f64,
    /// Checkpoints that are kept, the last ones.
    #[schemars(range(min = 1))]
    pub keep: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every_epochs: 1, every_seconds: 30.0, keep: 1 }
    }
}
