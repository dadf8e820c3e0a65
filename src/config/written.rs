//! The config as written: serde types, of which the JSON Schema is made too. Each key's doc
//! comment is its description there.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::catalogs::{
    AUTO, Activations, Initializers, Losses, Normalizations, Optimizers, OutputActivations,
    Schedules,
};
use super::data::{
    CategoryEncoding, ColumnConfig, Missing, Scaling, SplitBy, Streaming, TargetScaling,
};
use super::locations::Locations;
use super::named::Named;
use super::sources::{ClassWeights, PortionConfig, TargetConfig, TaskConfig};
use super::written_training::{CheckpointConfig, EarlyStoppingConfig, LogConfig, TrainingConfig};
use crate::catalog::metric;

/// A config: what to train on which data, and how. Only `data.train` and `data.target` have no
/// default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Seed of every random number of the run.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Networks trained side by side, each with random numbers of its own.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub members: usize,
    /// The data.
    pub data: DataConfig,
    /// The network.
    #[serde(default)]
    pub model: ModelConfig,
    /// The loss; `auto` fits the task.
    #[serde(default = "auto_loss")]
    pub loss: Named<Losses>,
    /// The optimizer.
    #[serde(default = "adam")]
    pub optimizer: Named<Optimizers>,
    /// The learning rate's course.
    #[serde(default = "constant")]
    pub schedule: Named<Schedules>,
    /// Length and batches of the training.
    #[serde(default)]
    pub training: TrainingConfig,
    /// Early stopping; `null` is none. Left out, it is on when there is a validation set.
    #[serde(default, deserialize_with = "given_or_null", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<EarlyStoppingConfig>")]
    pub early_stopping: Option<Option<EarlyStoppingConfig>>,
    /// Metrics; left out, those of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metric_names")]
    pub metrics: Option<Vec<String>>,
    /// What is logged.
    #[serde(default)]
    pub log: LogConfig,
    /// When the whole state of the training is kept, from which `--resume` goes on; `null` is never.
    #[serde(default = "checkpoint")]
    pub checkpoint: Option<CheckpointConfig>,
    #[serde(skip)]
    pub(super) locations: Locations,
}

/// The data: files, columns, splits, scaling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The training file, relative to the config file.
    pub train: String,
    /// Labels of the training file, for formats that keep them apart (IDX, NPY).
    #[serde(default)]
    pub labels: Option<String>,
    /// Validation rows: a share of the training file in [0, 1), or a file.
    #[serde(default = "validation")]
    pub validation: PortionConfig,
    /// Labels of the validation file.
    #[serde(default)]
    pub validation_labels: Option<String>,
    /// Test rows: a share of the training file in [0, 1), or a file.
    #[serde(default = "no_rows")]
    pub test: PortionConfig,
    /// Labels of the test file.
    #[serde(default)]
    pub test_labels: Option<String>,
    /// The target: a column's name, its index from 0, or a list of them. A list is of numbers
    /// (regression), of a probability for each class, or 1 for one of them and 0 else
    /// (`"task": "classification"`), or of two values for each label (`"task": "multilabel"`).
    #[serde(default)]
    pub target: Option<TargetConfig>,
    /// What is learned; `auto` follows the target, and takes a list of targets for regression.
    #[serde(default)]
    pub task: TaskConfig,
    /// What is known of single columns, by name.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnConfig>,
    /// Scaling of numeric columns, fitted on the training rows.
    #[serde(default = "standard")]
    pub scaling: Scaling,
    /// What missing cells of the inputs become: `auto` fills numbers with the median of the training
    /// rows, with one input more that says which were missing, and makes of missing text a category of
    /// its own; `error` refuses them.
    #[serde(default)]
    pub missing: Missing,
    /// How columns of categories become inputs: `one_hot`, an input for each category; `embedding`, a
    /// learned vector for each; `auto`, one-hot up to 20 categories and else an embedding.
    #[serde(default)]
    pub encoding: CategoryEncoding,
    /// How rows of validation and test are taken from the training file: `random`,
    /// `{"group": column}` or `{"time": column}`.
    #[serde(default)]
    pub split: SplitBy,
    /// The number of folds of a cross-validation, 2 or more: as many networks are trained side by side,
    /// each on all folds but one, which it is validated on. They take the place of
    /// `data.validation`; the rows of `data.test` are in none. `data.split`, `data.stratify` and
    /// `data.shuffle` say how the folds are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub folds: Option<usize>,
    /// What the rows of each class count in training, for classification and binary tasks:
    /// `"balanced"` (training rows / (classes * training rows of the class), as scikit-learn), or
    /// a map from classes to numbers above 0, where a class left out counts 1.
    #[serde(default)]
    pub class_weights: Option<ClassWeights>,
    /// Scaling of a regression target; predictions and metrics stay in the user's units.
    #[serde(default = "target_scaling")]
    pub target_scaling: TargetScaling,
    /// Whether rows are shuffled before the split and at every epoch.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Whether a split keeps the shares of the classes.
    #[serde(default = "yes")]
    pub stratify: bool,
    /// Whether the encoded rows go through a temporary file on disk rather than through memory: `auto`
    /// where they may take more than half of the memory that is free.
    #[serde(default)]
    pub streaming: Streaming,
    /// The folder of that file; left out, the folder of wgfit's caches.
    #[serde(default)]
    pub streaming_folder: Option<String>,
    /// Neighbouring rows that stay together when the training rows are shuffled: blocks of so many
    /// rows are shuffled, and then the rows within 16 blocks. `null` shuffles all rows as one, or,
    /// where they are streamed, blocks of 4 MiB.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub chunk_rows: Option<usize>,
}

/// The network. The output layer is added to fit the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The hidden layers, from the input on.
    pub layers: Vec<LayerConfig>,
    /// The output layer.
    pub output: OutputConfig,
    /// A safetensors file with the starting weights, relative to the config file.
    pub init_from: Option<String>,
}

impl Default for ModelConfig {
    /// One hidden layer of 64 ReLU units.
    fn default() -> Self {
        Self {
            layers: vec![LayerConfig::default()],
            output: OutputConfig::default(),
            init_from: None,
        }
    }
}

/// What tells members apart that share the weights of a layer: Gorishniy et al. 2025, "TabM: advancing
/// tabular deep learning with parameter-efficient ensembling".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adapters {
    /// Each member multiplies its inputs and its sums by vectors of its own, and has its own biases.
    Tabm,
    /// In the first layer each member multiplies its inputs by a vector of its own; all else is shared.
    TabmMini,
}

/// A hidden layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LayerConfig {
    /// Units.
    #[schemars(range(min = 1))]
    pub units: usize,
    /// Activation.
    pub activation: Named<Activations>,
    /// Starting weights; left out, they fit the activation.
    pub init: Option<Named<Initializers>>,
    /// Starting biases.
    pub bias_init: Named<Initializers>,
    /// Normalisation between the sums and the activation: its name, or an object with it.
    pub norm: Option<Named<Normalizations>>,
    /// Share of the outputs dropped in training, in [0, 1).
    #[schemars(range(min = 0))]
    pub dropout: f64,
    /// The same by alpha dropout, which keeps the mean and variance that SELU gives.
    #[schemars(range(min = 0))]
    pub alpha_dropout: f64,
    /// Standard deviation of the Gaussian noise added to the activation in training.
    #[schemars(range(min = 0))]
    pub gaussian_noise: f64,
    /// Whether the layer's input, of as many units, is added to its output.
    pub residual: bool,
    /// Whether the members share the layer's weights, as the heads of one network, and what tells them
    /// apart; `null`: each member has weights of its own.
    pub adapters: Option<Adapters>,
    /// Penalty on the absolute weights.
    #[schemars(range(min = 0))]
    pub l1: f64,
    /// Penalty on the squared weights, halved in the torch convention.
    #[schemars(range(min = 0))]
    pub l2: f64,
    /// The largest norm of a unit's weights; `null` is none.
    #[schemars(range(min = 0))]
    pub max_norm: Option<f64>,
    /// Factor of the learning rate; 0 keeps the layer as it is.
    #[schemars(range(min = 0))]
    pub learning_rate_factor: f64,
}

impl Default for LayerConfig {
    fn default() -> Self {
        Self {
            units: 64,
            activation: Named::new("relu"),
            init: None,
            bias_init: Named::new("zeros"),
            norm: None,
            dropout: 0.0,
            alpha_dropout: 0.0,
            gaussian_noise: 0.0,
            residual: false,
            adapters: None,
            l1: 0.0,
            l2: 0.0,
            max_norm: None,
            learning_rate_factor: 1.0,
        }
    }
}

/// The output layer, whose units follow the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Activation, for regression; the losses of classes take the plain outputs.
    pub activation: Named<OutputActivations>,
    /// Starting weights.
    pub init: Option<Named<Initializers>>,
    /// Starting biases.
    pub bias_init: Named<Initializers>,
    /// Penalty on the absolute weights.
    #[schemars(range(min = 0))]
    pub l1: f64,
    /// Penalty on the squared weights, halved in the torch convention.
    #[schemars(range(min = 0))]
    pub l2: f64,
    /// The largest norm of a unit's weights; `null` is none.
    #[schemars(range(min = 0))]
    pub max_norm: Option<f64>,
    /// Factor of the learning rate; 0 keeps the layer as it is.
    #[schemars(range(min = 0))]
    pub learning_rate_factor: f64,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self {
            activation: Named::new("linear"),
            init: None,
            bias_init: Named::new("zeros"),
            l1: 0.0,
            l2: 0.0,
            max_norm: None,
            learning_rate_factor: 1.0,
        }
    }
}

impl Config {
    /// The JSON Schema of a config.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// The config with its paths cut down to file names: equal runs have equal forms of it.
    pub fn without_paths(&self) -> Self {
        let mut config = self.clone();
        let data = &mut config.data;
        // Where data stands on its way is the machine's affair.
        (data.streaming, data.streaming_folder) = (Streaming::Auto, None);
        // When checkpoints are written changes nothing of what is trained.
        config.checkpoint = checkpoint();
        let files = [&mut data.labels, &mut data.validation_labels, &mut data.test_labels];
        let model_file = [&mut config.model.init_from];
        for file in files.into_iter().chain(model_file).flatten() {
            *file = file_name(file);
        }
        let hidden = config.model.layers.iter_mut();
        let hidden = hidden.flat_map(|layer| [Some(&mut layer.bias_init), layer.init.as_mut()]);
        let output = &mut config.model.output;
        let output = [Some(&mut output.bias_init), output.init.as_mut()];
        for initializer in hidden.chain(output).flatten() {
            if let Some(Value::String(file)) = initializer.parameters.get_mut("file") {
                *file = file_name(file);
            }
        }
        data.train = file_name(&data.train);
        for portion in [&mut data.validation, &mut data.test] {
            if let PortionConfig::File(file) = portion {
                *file = file_name(file);
            }
        }
        config
    }
}

fn file_name(path: &str) -> String {
    let name = std::path::Path::new(path).file_name();
    name.map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Tells `null`, which turns a key off, from a key that is left out.
fn given_or_null<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

fn metric_names(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = metric::METRICS.iter().map(|row| row.name).collect();
    json_schema!({ "type": ["array", "null"], "items": { "enum": names } })
}

fn seed() -> u64 {
    42
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

pub(super) fn validation() -> PortionConfig {
    PortionConfig::Share(0.2)
}

fn no_rows() -> PortionConfig {
    PortionConfig::Share(0.0)
}

fn standard() -> Scaling {
    Scaling::Standard
}

fn target_scaling() -> TargetScaling {
    TargetScaling::Auto
}

fn checkpoint() -> Option<CheckpointConfig> {
    Some(CheckpointConfig::default())
}

fn auto_loss() -> Named<Losses> {
    Named::new(AUTO)
}

fn adam() -> Named<Optimizers> {
    Named::new("adam")
}

fn constant() -> Named<Schedules> {
    Named::new("constant")
}
