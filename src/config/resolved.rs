//! From settings back to a config with every default written out.

use std::path::{Path, absolute};

use serde_json::{Map, Value};

use super::catalogs::{AUTO, Activations, Initializers, Optimizers, Schedules};
use super::data::{Portion, TargetScaling, Task};
use super::fit::TaskSettings;
use super::named::Named;
use super::reserved::{ReservedCheckpoint, ReservedFalse, ReservedHistograms, ReservedNull};
use super::settings::{LayerSpec, OptimizerSettings, Settings};
use super::sources::{PortionConfig, TargetConfig};
use super::written::{
    Config, DataConfig, EarlyStoppingConfig, LayerConfig, LogConfig, ModelConfig, OutputConfig,
    TrainingConfig,
};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::initializer::InitializerSettings;
use crate::catalog::optimizer::{Convention, Hyperparameters};
use crate::catalog::schedule::{ScheduleSettings, Warmup};

impl Settings {
    /// The config that means these settings wherever it is put: every default written out, every
    /// path absolute. What the task decides stays `auto`.
    pub fn resolved(&self) -> Config {
        let data = &self.data;
        Config {
            seed: self.seed,
            members: self.members,
            data: DataConfig {
                train: text(&data.train),
                labels: data.labels.as_deref().map(text),
                validation: portion(&data.validation),
                validation_labels: data.validation_labels.as_deref().map(text),
                test: portion(&data.test),
                test_labels: data.test_labels.as_deref().map(text),
                target: (!data.target.is_empty()).then(|| TargetConfig(data.target.clone())),
                task: data.task.into(),
                columns: data.columns.clone(),
                scaling: data.scaling,
                class_weights: ReservedNull,
                target_scaling: data.target_scaling,
                shuffle: data.shuffle,
                stratify: data.stratify,
            },
            model: ModelConfig {
                layers: self.model.layers.iter().map(layer).collect(),
                output: OutputConfig {
                    init: Some(initializer(&self.model.output.init)),
                    bias_init: initializer(&self.model.output.bias_init),
                    l1: self.model.output.l1,
                    l2: self.model.output.l2,
                },
                init_from: self.model.init_from.as_deref().map(text),
            },
            loss: Named::new(self.loss.map_or(AUTO, |row| row.name)),
            optimizer: optimizer(&self.optimizer),
            schedule: schedule(&self.schedule),
            training: TrainingConfig {
                epochs: self.training.epochs,
                batch_size: self.training.batch_size,
                drop_last: self.training.drop_last,
                ..TrainingConfig::default()
            },
            early_stopping: Some(self.early_stopping.as_ref().map(|stopping| {
                EarlyStoppingConfig {
                    monitor: stopping.monitor.clone(),
                    mode: stopping.mode,
                    patience: stopping.patience,
                    min_delta: stopping.min_delta,
                    restore_best: stopping.restore_best,
                    start_from_epoch: stopping.start_from_epoch,
                    baseline: stopping.baseline,
                }
            })),
            metrics: self
                .metrics
                .as_ref()
                .map(|rows| rows.iter().map(|row| row.name.to_owned()).collect()),
            log: LogConfig {
                every_steps: self.log_every_steps,
                tensorboard: ReservedFalse,
                histograms_every: ReservedHistograms,
            },
            checkpoint: ReservedCheckpoint,
            locations: self.locations.clone(),
        }
    }

    /// As [`Settings::resolved`], with what the task decided written out too.
    pub fn resolved_for(&self, fitted: &TaskSettings) -> Config {
        let mut config = self.resolved();
        config.data.task = Some(fitted.task).into();
        config.loss = Named::new(fitted.loss.name);
        config.metrics = Some(fitted.metrics.iter().map(|row| row.name.to_owned()).collect());
        if config.data.target_scaling == TargetScaling::Auto {
            config.data.target_scaling = match fitted.task {
                Task::Regression => TargetScaling::Standard,
                Task::Classification | Task::Binary => TargetScaling::None,
            };
        }
        config
    }
}

fn text(path: &Path) -> String {
    absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

fn portion(portion: &Portion) -> PortionConfig {
    match portion {
        Portion::Share(share) => PortionConfig::Share(*share),
        Portion::File(file) => PortionConfig::File(text(file)),
    }
}

fn layer(spec: &LayerSpec) -> LayerConfig {
    LayerConfig {
        units: spec.units,
        activation: activation(&spec.activation),
        init: Some(initializer(&spec.init)),
        bias_init: initializer(&spec.bias_init),
        dropout: spec.dropout,
        l1: spec.l1,
        l2: spec.l2,
        norm: ReservedNull,
    }
}

fn activation(settings: &ActivationSettings) -> Named<Activations> {
    let parameters = settings.row.parameters.iter().zip(settings.values);
    let given = parameters.map(|(parameter, value)| (parameter.name.to_owned(), value.into()));
    Named::with(settings.row.name, given.collect())
}

fn initializer(settings: &InitializerSettings) -> Named<Initializers> {
    let parameters = settings.row.parameters.iter().zip(settings.values);
    let given = parameters.map(|(parameter, value)| (parameter.name.to_owned(), value.into()));
    Named::with(settings.row.name, given.collect())
}

fn schedule(settings: &ScheduleSettings) -> Named<Schedules> {
    let mut given = Map::new();
    if let Some(parameter) = settings.row.parameter {
        given.insert(parameter.name.to_owned(), settings.value.into());
    }
    match settings.warmup {
        Warmup::Steps(steps) => given.insert("warmup_steps".to_owned(), steps.into()),
        Warmup::Epochs(epochs) => given.insert("warmup_epochs".to_owned(), epochs.into()),
    };
    Named::with(settings.row.name, given)
}

fn optimizer(settings: &OptimizerSettings) -> Named<Optimizers> {
    let Hyperparameters {
        learning_rate,
        weight_decay,
        beta1,
        beta2,
        epsilon,
        momentum,
        dampening,
        rho,
    } = settings.hyperparameters;
    let convention = match settings.convention {
        Convention::Torch => "torch",
        Convention::Keras => "keras",
    };
    let of_all = [
        ("learning_rate", Value::from(learning_rate)),
        ("convention", convention.into()),
        ("weight_decay", weight_decay.into()),
        ("decay_biases", settings.decay_biases.into()),
    ];
    let of_some = [
        ("beta1", Value::from(beta1)),
        ("beta2", beta2.into()),
        ("epsilon", epsilon.into()),
        ("rho", rho.into()),
        ("momentum", momentum.into()),
        ("dampening", dampening.into()),
        ("nesterov", settings.form.nesterov.into()),
        ("centered", settings.form.centered.into()),
    ];
    let taken = of_some.into_iter().filter(|(key, _)| settings.row.keys.contains(key));
    let given = of_all.into_iter().chain(taken).map(|(key, value)| (key.to_owned(), value));
    Named::with(settings.row.name, given.collect())
}
