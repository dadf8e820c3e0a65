//! From a config to settings: every name looked up, every range checked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::catalogs::{Activations, Initializers};
use super::data::{DataSettings, Portion};
use super::named::{Arguments, Named};
use super::settings::{LayerSpec, ModelSettings, OutputSpec, Settings};
use super::sources::PortionConfig;
use super::validate_training as training;
use super::written::{Config, DataConfig, LayerConfig, OutputConfig};
use crate::catalog::activation::{self, ActivationRow, ActivationSettings};
use crate::catalog::initializer::{self, InitializerSettings};
use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::Parameter;
use crate::error::{Error, Result};

/// The error of a number outside its range.
pub(super) fn out_of_range(path: &str, expected: &str, found: f64) -> Error {
    Error::config(path, format!("expected {expected}, found {found}"))
}

/// A finite number that f32 can hold, of which `fits` is true.
pub(super) fn in_range(
    path: &str,
    value: f64,
    fits: impl Fn(f64) -> bool,
    expected: &str,
) -> Result<f64> {
    // The device works in f32, where 1 - 1e-9 is 1: the range must hold there too.
    let single = f64::from(value as f32);
    if single.is_finite() && fits(value) && fits(single) {
        Ok(value)
    } else {
        Err(out_of_range(path, expected, value))
    }
}

pub(super) fn not_negative(path: &str, value: f64) -> Result<f64> {
    in_range(path, value, |x| x >= 0.0, "a number, 0 or more")
}

pub(super) fn below_one(path: &str, value: f64) -> Result<f64> {
    in_range(path, value, |x| (0.0..1.0).contains(&x), "a number in [0, 1)")
}

/// A count of 1 to 2^32 - 1.
pub(super) fn count(path: &str, value: usize) -> Result<usize> {
    if value >= 1 && u32::try_from(value).is_ok() {
        Ok(value)
    } else {
        let expected = "a whole number from 1 to 4294967295";
        Err(Error::config(path, format!("expected {expected}, found {value}")))
    }
}

impl Config {
    /// Checks the config and looks its names up. Paths are resolved against `folder`, the config
    /// file's. No file is opened.
    ///
    /// # Errors
    /// When a name or a key is unknown, a number is out of its range, or two keys contradict each
    /// other. The error names the key, and its line where the config came from a file.
    pub fn validate(&self, folder: &Path) -> Result<Settings> {
        self.checked(folder).map_err(|error| self.locations.locate(error))
    }

    fn checked(&self, folder: &Path) -> Result<Settings> {
        let optimizer = training::optimizer(&self.optimizer)?;
        let data = data(&self.data, self.seed, folder)?;
        let metrics = self.metrics.as_deref().map(training::metrics).transpose()?;
        let early_stopping = training::early_stopping(
            self.early_stopping.as_ref(),
            data.has_validation(),
            metrics.as_deref(),
        )?;
        Ok(Settings {
            seed: self.seed,
            members: count("members", self.members)?,
            model: ModelSettings {
                layers: self
                    .model
                    .layers
                    .iter()
                    .enumerate()
                    .map(|(i, layer)| {
                        self::layer(layer, &format!("model.layers[{i}]"), optimizer.convention)
                    })
                    .collect::<Result<_>>()?,
                output: output(&self.model.output, optimizer.convention)?,
                init_from: self
                    .model
                    .init_from
                    .as_ref()
                    .map(|file| resolve("model.init_from", file, folder))
                    .transpose()?,
            },
            loss: training::loss(&self.loss)?,
            schedule: training::schedule(&self.schedule, optimizer.hyperparameters.learning_rate)?,
            optimizer,
            training: training::training(&self.training)?,
            early_stopping,
            early_stopping_given: matches!(self.early_stopping, Some(Some(_))),
            metrics,
            log_every_steps: self.log.every_steps,
            data,
            locations: self.locations.clone(),
        })
    }
}

fn resolve(path: &str, file: &str, folder: &Path) -> Result<PathBuf> {
    if file.is_empty() {
        return Err(Error::config(path, "expected a file, found an empty name"));
    }
    Ok(folder.join(file))
}

fn data(config: &DataConfig, seed: u64, folder: &Path) -> Result<DataSettings> {
    let optional = |path: &str, file: &Option<String>| {
        file.as_ref().map(|file| resolve(path, file, folder)).transpose()
    };
    let labels = optional("data.labels", &config.labels)?;
    let validation_labels = optional("data.validation_labels", &config.validation_labels)?;
    let test_labels = optional("data.test_labels", &config.test_labels)?;
    let validation = portion("data.validation", &config.validation, folder)?;
    let test = portion("data.test", &config.test, folder)?;
    if let (Portion::Share(validation), Portion::Share(test)) = (&validation, &test)
        && validation + test >= 1.0
    {
        return Err(Error::config(
            "data.test",
            format!("validation {validation} and test {test} leave no row for training"),
        )
        .with_help("their sum must be below 1"));
    }
    let files = [("validation", &validation, &validation_labels), ("test", &test, &test_labels)];
    for (name, portion, its_labels) in files {
        let path = format!("data.{name}_labels");
        let is_file = matches!(portion, Portion::File(_));
        if its_labels.is_some() && !is_file {
            return Err(Error::config(path, format!("given, but data.{name} is not a file"))
                .with_help("rows taken from data.train have their labels in data.labels"));
        }
        if its_labels.is_none() && is_file && labels.is_some() {
            return Err(Error::config(path, "the key is required and not given").with_help(
                format!("data.labels is given, so data.{name} needs a file of labels too"),
            ));
        }
    }
    let target = config.target.as_ref().map(|target| target.0.clone()).unwrap_or_default();
    if target.is_empty() && (config.target.is_some() || labels.is_none()) {
        return Err(Error::config("data.target", "no target column is given")
            .with_help("name a column, or give data.labels for data that keeps labels apart"));
    }
    let mut seen = HashSet::new();
    for (i, column) in target.iter().enumerate() {
        if !seen.insert(column.to_string()) {
            let path = format!("data.target[{i}]");
            return Err(Error::config(path, format!("the column {column} is given twice")));
        }
    }
    Ok(DataSettings {
        train: resolve("data.train", &config.train, folder)?,
        labels,
        validation,
        validation_labels,
        test,
        test_labels,
        target,
        task: config.task.task(),
        columns: config.columns.clone(),
        scaling: config.scaling,
        target_scaling: config.target_scaling,
        shuffle: config.shuffle,
        stratify: config.stratify,
        seed,
    })
}

fn portion(path: &str, config: &PortionConfig, folder: &Path) -> Result<Portion> {
    Ok(match config {
        PortionConfig::Share(share) if (0.0..1.0).contains(share) => Portion::Share(*share),
        PortionConfig::Share(share) => {
            return Err(out_of_range(path, "a share in [0, 1) or a file", *share));
        }
        PortionConfig::File(file) => Portion::File(resolve(path, file, folder)?),
    })
}

fn layer(config: &LayerConfig, path: &str, convention: Convention) -> Result<LayerSpec> {
    let at = |key: &str| format!("{path}.{key}");
    let activation = activation(&config.activation, &at("activation"), convention)?;
    Ok(LayerSpec {
        units: count(&at("units"), config.units)?,
        activation,
        init: weights(config.init.as_ref(), &at("init"), activation.row, convention)?,
        bias_init: initializer(&config.bias_init, &at("bias_init"), convention)?,
        dropout: below_one(&at("dropout"), config.dropout)?,
        l1: not_negative(&at("l1"), config.l1)?,
        l2: not_negative(&at("l2"), config.l2)?,
    })
}

fn output(config: &OutputConfig, convention: Convention) -> Result<OutputSpec> {
    // The output layer gives logits: it is linear.
    let linear = activation::find("linear").ok_or_else(|| missing("linear"))?;
    Ok(OutputSpec {
        init: weights(config.init.as_ref(), "model.output.init", linear, convention)?,
        bias_init: initializer(&config.bias_init, "model.output.bias_init", convention)?,
        l1: not_negative("model.output.l1", config.l1)?,
        l2: not_negative("model.output.l2", config.l2)?,
    })
}

/// A name that passed the look-up, or that a table gives, and is in no table.
pub(super) fn missing(name: &str) -> Error {
    Error::internal(format!("no table has a row {name:?}"))
}

fn activation(
    named: &Named<Activations>,
    path: &str,
    convention: Convention,
) -> Result<ActivationSettings> {
    let arguments = named.look_up(path)?;
    let row = activation::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let mut settings = ActivationSettings::new(row, convention);
    for (value, parameter) in settings.values.iter_mut().zip(row.parameters) {
        *value = parameter_value(&arguments, parameter, convention)?;
    }
    Ok(settings)
}

/// The value given to a parameter, or its default; held to its range.
pub(super) fn parameter_value(
    arguments: &Arguments<'_>,
    parameter: &Parameter,
    convention: Convention,
) -> Result<f64> {
    let value = arguments.number(parameter.name, parameter.default(convention));
    if parameter.range.fits(value) {
        Ok(value)
    } else {
        Err(out_of_range(&arguments.path(parameter.name), parameter.range.expected(), value))
    }
}

/// The initialiser of weights: the one given, or the activation's.
fn weights(
    named: Option<&Named<Initializers>>,
    path: &str,
    activation: &ActivationRow,
    convention: Convention,
) -> Result<InitializerSettings> {
    match named {
        Some(named) => initializer(named, path, convention),
        None => {
            let name = activation.default_initializer;
            let row = initializer::find(name).ok_or_else(|| missing(name))?;
            Ok(InitializerSettings::new(row, convention))
        }
    }
}

fn initializer(
    named: &Named<Initializers>,
    path: &str,
    convention: Convention,
) -> Result<InitializerSettings> {
    let arguments = named.look_up(path)?;
    let row = initializer::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let mut settings = InitializerSettings::new(row, convention);
    for (value, parameter) in settings.values.iter_mut().zip(row.parameters) {
        let at = arguments.path(parameter.name);
        *value = arguments.number(parameter.name, *value);
        let (fits, expected): (fn(f64) -> bool, _) = match parameter.name {
            "stddev" => (|x| x > 0.0, "a number above 0"),
            _ => (|_| true, "a number that 32 bits can hold"),
        };
        in_range(&at, *value, fits, expected)?;
    }
    let [first, second] = settings.values;
    if row.name == "random_uniform" && first >= second {
        let expected = format!("a number above the minimum, {first}");
        return Err(out_of_range(&arguments.path("maximum"), &expected, second));
    }
    // Further away the interval holds so little of the distribution that nothing can be drawn.
    let reach = 2.0 + 2.0 * second;
    if row.name == "truncated_normal" && convention == Convention::Torch && first.abs() > reach {
        let expected = "a number within two stddev of the cuts at -2 and 2";
        return Err(out_of_range(&arguments.path("mean"), expected, first));
    }
    Ok(settings)
}
