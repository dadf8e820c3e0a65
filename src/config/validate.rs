//! From a config to settings: every name looked up, every range checked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::data::{
    CategoryEncoding, DataSettings, MOST_EMBEDDING_SIZE, Portion, Streaming, TargetScaling, Task,
};
use super::locations::join;
use super::schedule;
use super::settings::{LayerSpec, ModelSettings, Settings};
use super::sources::{ClassWeights, PortionConfig, TaskConfig};
use super::written::{self, Config, DataConfig};
use super::{validate_model, validate_training as training};
use crate::error::{Error, Result};
use crate::program::Precision;

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
        let loss = training::loss(&self.loss, optimizer.convention)?;
        let output = validate_model::output(&self.model.output, optimizer.convention, folder)?;
        let mut data = data;
        let scales = loss.is_none_or(|loss| loss.row.takes_scaled_targets());
        if data.target_scaling == TargetScaling::Auto
            && !(scales && output.activation.name() == "linear")
        {
            data.target_scaling = TargetScaling::None;
        }
        let early_stopping = training::early_stopping(
            self.early_stopping.as_ref(),
            data.has_validation(),
            metrics.as_deref(),
        )?;
        let schedule = schedule::validate(
            &self.schedule,
            &schedule::Around {
                learning_rate: optimizer.hyperparameters.learning_rate,
                convention: optimizer.convention,
                has_validation: data.has_validation(),
                metrics: metrics.as_deref(),
            },
        )?;
        let mut optimizer = optimizer;
        if schedule.row.momentum.is_some() && optimizer.takes("momentum") {
            // The schedule moves the momentum, from 0 too.
            optimizer.form.with_momentum = true;
        }
        let layers = self
            .model
            .layers
            .iter()
            .enumerate()
            .map(|(i, layer)| {
                let path = format!("model.layers[{i}]");
                validate_model::layer(layer, &path, optimizer.convention, folder)
            })
            .collect::<Result<Vec<_>>>()?;
        let by_batch = |layer: &LayerSpec| layer.normalization.is_some_and(|n| n.row.by_column);
        if self.training.batch_size == 1 && layers.iter().any(by_batch) {
            return Err(Error::config(
                "training.batch_size",
                "expected 2 or more, as batch_norm takes the variance of a batch, found 1",
            )
            .with_help("use larger batches, or layer_norm"));
        }
        let members = members(self.members, data.folds)?;
        let heads = heads(self, members)?;
        Ok(Settings {
            seed: self.seed,
            members,
            model: ModelSettings {
                layers,
                output,
                init_from: self
                    .model
                    .init_from
                    .as_ref()
                    .map(|file| resolve("model.init_from", file, folder))
                    .transpose()?,
                heads,
            },
            loss,
            schedule,
            optimizer,
            training: training::training(&self.training, members)?,
            early_stopping,
            early_stopping_given: matches!(self.early_stopping, Some(Some(_))),
            metrics,
            log_every_steps: self.log.every_steps,
            tensorboard: self.log.tensorboard,
            histograms_every: self.log.histograms_every,
            checkpoint: self.checkpoint.as_ref().map(training::checkpoint).transpose()?,
            data,
            locations: self.locations.clone(),
        })
    }
}

/// The networks trained side by side: with folds one for each fold, or as many for each.
fn members(members: usize, folds: Option<usize>) -> Result<usize> {
    match folds {
        Some(folds) if members == 1 => Ok(folds),
        Some(folds) if !members.is_multiple_of(folds) => {
            let problem = format!("{members} members cannot share {folds} folds alike");
            Err(Error::config("members", problem).with_help(format!(
                "leave the key out for one network a fold, or give a multiple of {folds} to train \
                 each fold from several seeds"
            )))
        }
        _ => count("members", members),
    }
}

/// The members that are the heads of one network: all, where a layer's weights are shared.
fn heads(config: &Config, members: usize) -> Result<usize> {
    let Some(layer) = config.model.layers.iter().position(|layer| layer.adapters.is_some()) else {
        return Ok(1);
    };
    let refused = |problem: String, help: &str| {
        Err(Error::config(format!("model.layers[{layer}].adapters"), problem).with_help(help))
    };
    if config.data.folds.is_some() {
        return refused(
            "members that see different folds cannot share weights".to_owned(),
            "leave data.folds out, or each member its own weights",
        );
    }
    if config.training.precision == Precision::F16 {
        return refused(
            "weights are shared in f32 alone".to_owned(),
            "set training.precision to \"f32\"",
        );
    }
    if members == 1 {
        return refused(
            "one member has nobody to share weights with".to_owned(),
            "set \"members\" to how many heads the network is to have; 32 is usual",
        );
    }
    Ok(members)
}

/// Checks the folds, and gives what is left of `data.validation` beside them.
fn folds(config: &DataConfig, validation: Portion) -> Result<Portion> {
    let Some(folds) = config.folds else { return Ok(validation) };
    if folds < 2 {
        return Err(Error::config("data.folds", format!("expected 2 or more, found {folds}"))
            .with_help("leave the key out to train without cross-validation"));
    }
    // That of the default is no request.
    if config.validation != PortionConfig::Share(0.0) && config.validation != written::validation()
    {
        return Err(Error::config("data.validation", "given beside data.folds")
            .with_help("the folds are the validation rows: leave one of the two keys out"));
    }
    if config.streaming == Streaming::Always || config.chunk_rows.is_some() {
        let key = if config.chunk_rows.is_some() { "data.chunk_rows" } else { "data.streaming" };
        return Err(Error::config(key, "rows that are streamed cannot be cut into folds")
            .with_help("leave one of the two keys out, or give data.validation"));
    }
    Ok(Portion::Share(0.0))
}

pub(super) fn resolve(path: &str, file: &str, folder: &Path) -> Result<PathBuf> {
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
    let validation = folds(config, validation)?;
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
    if config.task == TaskConfig::Multilabel && target.len() < 2 {
        let problem = "a multilabel task takes a list of two target columns or more";
        return Err(Error::config("data.target", problem)
            .with_help("a column for each label; one label alone is a binary task"));
    }
    class_weights(config)?;
    embedding_sizes(config)?;
    if config.chunk_rows == Some(0) {
        return Err(Error::config("data.chunk_rows", "0 rows are no block")
            .with_help("give a number of rows, or null to shuffle all rows as one"));
    }
    let streaming_folder = config.streaming_folder.as_ref();
    let streaming_folder =
        streaming_folder.map(|path| resolve("data.streaming_folder", path, folder)).transpose()?;
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
        missing: config.missing,
        encoding: config.encoding,
        split: config.split.clone(),
        folds: config.folds,
        class_weights: config.class_weights.clone(),
        target_scaling: config.target_scaling,
        shuffle: config.shuffle,
        stratify: config.stratify,
        streaming: config.streaming,
        streaming_folder,
        chunk_rows: config.chunk_rows,
        seed,
    })
}

/// Checks the sizes of embeddings as far as it goes without the data.
fn embedding_sizes(config: &DataConfig) -> Result<()> {
    for (name, column) in &config.columns {
        let Some(size) = column.embedding_size else { continue };
        let path = join(&join("data.columns", name), "embedding_size");
        if !(1..=MOST_EMBEDDING_SIZE).contains(&size) {
            let problem =
                format!("expected a whole number from 1 to {MOST_EMBEDDING_SIZE}, found {size}");
            return Err(Error::config(path, problem)
                .with_help("left out, it is min(50, round(1.6 n^0.56)) for n categories"));
        }
        if column.encoding.unwrap_or(config.encoding) == CategoryEncoding::OneHot {
            return Err(Error::config(path, "the column is one-hot encoded").with_help(format!(
                "leave the size out, or set {} to \"embedding\"",
                join(&join("data.columns", name), "encoding")
            )));
        }
    }
    Ok(())
}

/// Checks the class weights as far as it goes without the data.
fn class_weights(config: &DataConfig) -> Result<()> {
    let Some(weights) = &config.class_weights else { return Ok(()) };
    if let Some(task) = config.task.task() {
        refuse_class_weights(task)?;
    }
    if let ClassWeights::Map(weights) = weights {
        for (class, weight) in weights {
            let path = join("data.class_weights", class);
            in_range(&path, *weight, |x| x > 0.0, "a number above 0")?;
        }
    }
    Ok(())
}

/// Refuses class weights for a task that has no classes to weigh.
pub(crate) fn refuse_class_weights(task: Task) -> Result<()> {
    let help = match task {
        Task::Classification | Task::Binary => return Ok(()),
        Task::Regression => "leave it out, or weigh the rows by a column of type \"weight\"",
        Task::Multilabel => "the labels of a multilabel task are weighed by loss.pos_weight",
    };
    let problem = format!("a {task} task takes no class weights");
    Err(Error::config("data.class_weights", problem).with_help(help))
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
