//! From settings back to a config with every default written out.

use std::path::{Path, absolute};

use serde_json::{Map, Value};

use super::catalogs::{AUTO, Initializers, Losses, Normalizations, Optimizers, OutputActivations};
use super::data::{Portion, TargetScaling, Task};
use super::fit::TaskSettings;
use super::named::{Catalog, Named};
use super::schedule;
use super::settings::{AverageSettings, LayerSpec, OptimizerSettings, OutputActivation, Settings};
use super::sources::{PortionConfig, TargetConfig};
use super::written::{Config, DataConfig, LayerConfig, ModelConfig, OutputConfig};
use super::written_training::{EarlyStoppingConfig, LogConfig, TrainingConfig};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::initializer::InitializerSettings;
use crate::catalog::loss::LossSettings;
use crate::catalog::normalization::NormalizationSettings;
use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};
use crate::program::Clip;

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
                missing: data.missing,
                encoding: data.encoding,
                split: data.split.clone(),
                folds: data.folds,
                class_weights: data.class_weights.clone(),
                target_scaling: data.target_scaling,
                shuffle: data.shuffle,
                stratify: data.stratify,
                streaming: data.streaming,
                streaming_folder: data.streaming_folder.as_deref().map(text),
                chunk_rows: data.chunk_rows,
            },
            model: ModelConfig {
                layers: self.model.layers.iter().map(layer).collect(),
                output: OutputConfig {
                    init: Some(initializer(&self.model.output.init)),
                    bias_init: initializer(&self.model.output.bias_init),
                    activation: output_activation(&self.model.output.activation),
                    l1: self.model.output.weights.l1,
                    l2: self.model.output.weights.l2,
                    max_norm: self.model.output.weights.max_norm,
                    learning_rate_factor: self.model.output.weights.learning_rate_factor,
                },
                init_from: self.model.init_from.as_deref().map(text),
            },
            loss: self.loss.as_ref().map_or_else(|| Named::new(AUTO), loss),
            optimizer: optimizer(&self.optimizer),
            schedule: schedule::resolved(&self.schedule),
            training: TrainingConfig {
                epochs: self.training.epochs,
                batch_size: self.training.batch_size,
                drop_last: self.training.drop_last,
                precision: self.training.precision,
                accumulate: self.training.accumulate,
                on_divergence: self.training.on_divergence,
                ema: match self.training.average {
                    Some(AverageSettings::Exponential(momentum)) => Some(momentum),
                    _ => None,
                },
                average: match self.training.average {
                    Some(AverageSettings::Equal(average)) => Some(average),
                    _ => None,
                },
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
                tensorboard: self.tensorboard,
                histograms_every: self.histograms_every,
            },
            checkpoint: self.checkpoint,
            locations: self.locations.clone(),
        }
    }

    /// As [`Settings::resolved`], with what the task decided written out too.
    pub fn resolved_for(&self, fitted: &TaskSettings) -> Config {
        let mut config = self.resolved();
        config.data.task = Some(fitted.task).into();
        config.loss = loss(&fitted.loss);
        config.metrics = Some(fitted.metrics.iter().map(|row| row.name.to_owned()).collect());
        if config.data.target_scaling == TargetScaling::Auto {
            config.data.target_scaling = match fitted.task {
                Task::Regression if self.scales_targets(&fitted.loss) => TargetScaling::Standard,
                _ => TargetScaling::None,
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
        norm: spec.normalization.as_ref().map(normalization),
        dropout: if spec.alpha_dropout { 0.0 } else { spec.dropout },
        alpha_dropout: if spec.alpha_dropout { spec.dropout } else { 0.0 },
        gaussian_noise: spec.noise,
        residual: spec.residual,
        adapters: spec.adapters,
        l1: spec.weights.l1,
        l2: spec.weights.l2,
        max_norm: spec.weights.max_norm,
        learning_rate_factor: spec.weights.learning_rate_factor,
    }
}

/// A variant with the values of its parameters.
fn with_values<C: Catalog>(name: &str, parameters: &[Parameter], values: &[f64]) -> Named<C> {
    let value = |parameter: &Parameter, value: f64| match parameter.range {
        Range::Flag => Value::from(value == 1.0),
        Range::Count => Value::from(value as u64),
        _ => Value::from(value),
    };
    let given = parameters.iter().zip(values);
    let given = given.map(|(parameter, x)| (parameter.name.to_owned(), value(parameter, *x)));
    Named::with(name, given.collect())
}

fn activation<C: Catalog>(settings: &ActivationSettings) -> Named<C> {
    with_values(settings.row.name, settings.row.parameters, &settings.values)
}

fn output_activation(activation: &OutputActivation) -> Named<OutputActivations> {
    match activation {
        OutputActivation::Elements(settings) => self::activation(settings),
        OutputActivation::Rows(row) => Named::new(row.name),
    }
}

fn normalization(settings: &NormalizationSettings) -> Named<Normalizations> {
    with_values(settings.row.name, settings.row.parameters, &settings.values)
}

fn loss(settings: &LossSettings) -> Named<Losses> {
    with_values(settings.row.name, settings.row.parameters, &settings.values)
}

fn initializer(settings: &InitializerSettings) -> Named<Initializers> {
    let parameters = settings.row.parameters.iter().zip(settings.values);
    let numbers = parameters.map(|(parameter, value)| (parameter.name.to_owned(), value.into()));
    let mut given: Map<String, Value> = numbers.collect();
    if let Some(source) = &settings.source {
        given.insert("file".to_owned(), text(&source.file).into());
        if let Some(tensor) = &source.tensor {
            given.insert("tensor".to_owned(), tensor.as_str().into());
        }
    }
    Named::with(settings.row.name, given)
}

fn optimizer(settings: &OptimizerSettings) -> Named<Optimizers> {
    let row = settings.row;
    let values: Vec<f64> = row
        .parameters
        .iter()
        .map(|parameter| settings.hyperparameters.get(parameter.name).unwrap_or(0.0))
        .collect();
    let mut named: Named<Optimizers> = with_values(row.name, row.parameters, &values);
    let mut give = |key: &str, value: Value| {
        named.parameters.insert(key.to_owned(), value);
    };
    give(
        "convention",
        match settings.convention {
            Convention::Torch => "torch".into(),
            Convention::Keras => "keras".into(),
        },
    );
    give("decay_biases", settings.decay_biases.into());
    for (key, kind) in [
        ("clip_value", Clip::Value),
        ("clip_norm", Clip::Norm),
        ("clip_global_norm", Clip::GlobalNorm),
    ] {
        let value = settings.clip.filter(|(own, _)| *own == kind).map(|(_, value)| value);
        give(key, value.into());
    }
    for flag in row.flags {
        let on = match *flag {
            "nesterov" => settings.form.nesterov,
            "centered" => settings.form.centered,
            _ => settings.form.amsgrad,
        };
        give(flag, on.into());
    }
    if row.orthogonalises() {
        give("adjust", settings.adjust.name().into());
    }
    named
}
