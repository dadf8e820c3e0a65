//! The settings: a config as validated, every name looked up, every default filled in.

use std::path::PathBuf;

use super::data::DataSettings;
use super::locations::Locations;
use super::written::Adapters;
use super::written_training::{AverageConfig, CheckpointConfig, Mode, OnDivergence};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::initializer::InitializerSettings;
use crate::catalog::loss::LossSettings;
use crate::catalog::metric::MetricRow;
use crate::catalog::normalization::NormalizationSettings;
use crate::catalog::optimizer::muon::Adjust;
use crate::catalog::optimizer::{Convention, Hyperparameters, OptimizerForm, OptimizerRow};
use crate::catalog::row_activation::RowActivationRow;
use crate::catalog::schedule::ScheduleSettings;
use crate::error::Error;
use crate::program::{Clip, Orthogonalization, Precision, Update};

/// What a run does, all of it valid in itself; what depends on the task is checked by
/// [`Settings::fit_task`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Seed of every random number.
    pub seed: u64,
    /// Networks trained side by side.
    pub members: usize,
    /// The data.
    pub data: DataSettings,
    /// The network.
    pub model: ModelSettings,
    /// The loss; `None` is the task's.
    pub loss: Option<LossSettings>,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
    /// The learning rate's course.
    pub schedule: ScheduleSettings,
    /// Length and batches.
    pub training: TrainingSettings,
    /// Early stopping, unless it is off.
    pub early_stopping: Option<EarlyStoppingSettings>,
    /// Whether the config asks for early stopping, rather than having it by default.
    pub early_stopping_given: bool,
    /// Metrics; `None` is the task's.
    pub metrics: Option<Vec<&'static MetricRow>>,
    /// A log record every so many steps; 0 is none.
    pub log_every_steps: usize,
    /// Whether event files for TensorBoard are written.
    pub tensorboard: bool,
    /// Epochs between two looks inside the network; 0 is none.
    pub histograms_every: usize,
    /// When the whole state is kept; `None` is never.
    pub checkpoint: Option<CheckpointConfig>,
    pub(super) locations: Locations,
}

impl Settings {
    /// [`l2_gradient_coefficient`] in the run's convention.
    pub fn l2_gradient_coefficient(&self, l2: f64) -> f64 {
        l2_gradient_coefficient(l2, self.optimizer.convention)
    }

    /// Fills in the config's line in an error about one of its keys, such as those of
    /// [`crate::data::load`].
    pub fn locate(&self, error: Error) -> Error {
        self.locations.locate(error)
    }

    /// What becomes of a step's gradient.
    pub fn update(&self) -> Update {
        let optimizer = &self.optimizer;
        let orthogonalization = optimizer.row.orthogonalises().then_some(Orthogonalization {
            steps: optimizer.hyperparameters.ns_steps as usize,
            epsilon: optimizer.hyperparameters.epsilon,
            adjust: optimizer.adjust,
        });
        Update {
            clip: optimizer.clip.map(|(clip, _)| clip),
            orthogonalization,
            average: self.training.average.is_some(),
            by_block: self.blocks_differ(),
            ..Update::new(optimizer.row, optimizer.form)
        }
    }

    /// Whether some parameters are stepped otherwise than the others.
    fn blocks_differ(&self) -> bool {
        let optimizer = &self.optimizer;
        let layers = self.model.layers.iter().map(|layer| layer.weights);
        let own = layers
            .chain([self.model.output.weights])
            .any(|w| w.l1 != 0.0 || w.l2 != 0.0 || w.learning_rate_factor != 1.0);
        let decays_apart = optimizer.hyperparameters.weight_decay != 0.0 && !optimizer.decay_biases;
        // Running statistics stand among the parameters and are not trained.
        let untrained = self.model.layers.iter().any(|layer| layer.normalization.is_some());
        own || decays_apart || untrained || optimizer.row.orthogonalises()
    }

    /// Whether the config names validation rows: a file, or a share above 0.
    pub fn has_validation(&self) -> bool {
        self.data.has_validation()
    }
}

/// What multiplies a weight in the gradient of its l2 penalty. PyTorch: the penalty is
/// l2 / 2 w^2, so l2. Keras: l2 w^2, so 2 l2.
pub fn l2_gradient_coefficient(l2: f64, convention: Convention) -> f64 {
    match convention {
        Convention::Torch => l2,
        Convention::Keras => 2.0 * l2,
    }
}

/// The network, without what the task decides.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// The hidden layers.
    pub layers: Vec<LayerSpec>,
    /// The output layer.
    pub output: OutputSpec,
    /// A safetensors file with the starting weights.
    pub init_from: Option<PathBuf>,
    /// Members that are the heads of one network; 1 where each is a network by itself.
    pub heads: usize,
}

/// A hidden layer.
#[derive(Debug, Clone)]
pub struct LayerSpec {
    /// Units.
    pub units: usize,
    /// Its activation.
    pub activation: ActivationSettings,
    /// Starting weights.
    pub init: InitializerSettings,
    /// Starting biases.
    pub bias_init: InitializerSettings,
    /// Normalisation before the activation.
    pub normalization: Option<NormalizationSettings>,
    /// Share of its outputs dropped in training, in [0, 1).
    pub dropout: f64,
    /// Whether dropout is alpha dropout.
    pub alpha_dropout: bool,
    /// Standard deviation of the noise added to the activation in training.
    pub noise: f64,
    /// Whether its input is added to its output.
    pub residual: bool,
    /// What the heads of a network share of it, as `adapters` says; none where each has all of its own.
    pub adapters: Option<Adapters>,
    /// What its weights and its learning rate are held to.
    pub weights: WeightSettings,
}

/// What holds for the weights of one layer.
#[derive(Debug, Clone, Copy)]
pub struct WeightSettings {
    /// Penalty on the absolute weights.
    pub l1: f64,
    /// Penalty on the squared weights; see [`l2_gradient_coefficient`].
    pub l2: f64,
    /// The largest norm of a unit's weights.
    pub max_norm: Option<f64>,
    /// Factor of the layer's learning rate.
    pub learning_rate_factor: f64,
}

impl WeightSettings {
    /// What holds where nothing is asked.
    pub const PLAIN: Self = Self { l1: 0.0, l2: 0.0, max_norm: None, learning_rate_factor: 1.0 };
}

/// The activation of the output layer.
#[derive(Debug, Clone, Copy)]
pub enum OutputActivation {
    /// Of each output.
    Elements(ActivationSettings),
    /// Of each row.
    Rows(&'static RowActivationRow),
}

impl OutputActivation {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Elements(settings) => settings.row.name,
            Self::Rows(row) => row.name,
        }
    }
}

/// The output layer.
#[derive(Debug, Clone)]
pub struct OutputSpec {
    /// Activation.
    pub activation: OutputActivation,
    /// Starting weights.
    pub init: InitializerSettings,
    /// Starting biases.
    pub bias_init: InitializerSettings,
    /// What its weights and its learning rate are held to.
    pub weights: WeightSettings,
}

/// The optimizer.
#[derive(Debug, Clone, Copy)]
pub struct OptimizerSettings {
    /// The row.
    pub row: &'static OptimizerRow,
    /// The form that is fixed when the pipeline is built.
    pub form: OptimizerForm,
    /// Its numbers.
    pub hyperparameters: Hyperparameters,
    /// Whose formulas and defaults: of the optimizer, initialisers and l2.
    pub convention: Convention,
    /// Whether weight decay takes biases too.
    pub decay_biases: bool,
    /// What of a gradient is clipped, and where.
    pub clip: Option<(Clip, f64)>,
    /// What Muon's orthogonal matrices are multiplied by.
    pub adjust: Adjust,
}

impl OptimizerSettings {
    /// Whether the optimizer has a number of that name.
    pub fn takes(&self, name: &str) -> bool {
        self.row.parameters.iter().any(|parameter| parameter.name == name)
    }
}

/// A running average of the weights, evaluated and kept in their place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AverageSettings {
    /// Exponential, with this momentum; the first step copies.
    Exponential(f64),
    /// Equal, of the weights from an epoch on.
    Equal(AverageConfig),
}

/// Length and batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingSettings {
    /// Epochs at most.
    pub epochs: usize,
    /// Rows a step.
    pub batch_size: usize,
    /// Whether a last batch that is not full is left out.
    pub drop_last: bool,
    /// Batches whose gradients make one step.
    pub accumulate: usize,
    /// A running average of the weights.
    pub average: Option<AverageSettings>,
    /// What the data, the activations and their gradients are stored in.
    pub precision: Precision,
    /// What follows when a number is no longer finite.
    pub on_divergence: OnDivergence,
}

/// Early stopping; what it watches is looked up by [`Settings::fit_task`].
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStoppingSettings {
    /// What is watched, such as `val_loss`.
    pub monitor: String,
    /// Which way is better.
    pub mode: Mode,
    /// Epochs without improvement after which training stops.
    pub patience: usize,
    /// What a value must be better by.
    pub min_delta: f64,
    /// Whether the best epoch's weights are put back.
    pub restore_best: bool,
    /// Epochs to leave out at the start.
    pub start_from_epoch: usize,
    /// A value that must be beaten for the count of epochs to begin anew.
    pub baseline: Option<f64>,
}
