//! The half of validation that is about training: loss, optimizer, schedule, early stopping.

use super::catalogs::{AUTO, Losses, Optimizers};
use super::named::{Arguments, Named};
use super::settings::{
    AverageSettings, EarlyStoppingSettings, OptimizerSettings, TrainingSettings,
};
use super::validate::{count, in_range, not_negative};
use super::validate_model::{missing, parameter_value};
use super::written_training::{
    CheckpointConfig, EarlyStoppingConfig, OnDivergence, TrainingConfig,
};
use crate::catalog::loss::{self, LossSettings};
use crate::catalog::metric::{self, MetricRow};
use crate::catalog::optimizer::muon::Adjust;
use crate::catalog::optimizer::{self, Convention, OptimizerForm};
use crate::error::{Error, Result, unknown};
use crate::program::Clip;

pub(super) fn loss(named: &Named<Losses>, convention: Convention) -> Result<Option<LossSettings>> {
    let given = named.look_up("loss")?;
    if named.name == AUTO {
        return Ok(None);
    }
    let row = loss::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let mut settings = LossSettings::new(row, convention);
    for (value, parameter) in settings.values.iter_mut().zip(row.parameters) {
        *value = parameter_value(&given, parameter, convention)?;
    }
    Ok(Some(settings))
}

pub(super) fn optimizer(named: &Named<Optimizers>) -> Result<OptimizerSettings> {
    let given = named.look_up("optimizer")?;
    let row = optimizer::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let convention = match given.text("convention") {
        Some("keras") => Convention::Keras,
        _ => Convention::Torch,
    };
    let mut numbers = row.defaults(convention);
    for parameter in row.parameters {
        let value = parameter_value(&given, parameter, convention)?;
        if let Some(number) = numbers.get_mut(parameter.name) {
            *number = value;
        }
    }
    for (key, value) in [("dampening", numbers.dampening), ("lr_decay", numbers.lr_decay)] {
        if convention == Convention::Keras && value > 0.0 {
            let path = given.path(key);
            return Err(Error::config(path, format!("the keras convention has no {key}"))
                .with_help("leave it out, or take \"convention\": \"torch\""));
        }
    }
    let form = OptimizerForm {
        keras: convention == Convention::Keras,
        with_momentum: numbers.momentum > 0.0,
        nesterov: given.flag("nesterov", row.orthogonalises()),
        centered: given.flag("centered", false),
        amsgrad: given.flag("amsgrad", false),
    };
    if form.nesterov && (!form.with_momentum || numbers.dampening > 0.0) {
        return Err(Error::config(
            "optimizer.nesterov",
            "needs a momentum above 0 and no dampening",
        )
        .with_help("for example \"momentum\": 0.9"));
    }
    let named = given.text("adjust");
    let adjust = match Adjust::ALL.into_iter().find(|adjust| Some(adjust.name()) == named) {
        Some(adjust) => adjust,
        None if convention == Convention::Keras => Adjust::MatchRmsAdamw,
        None => Adjust::Original,
    };
    Ok(OptimizerSettings {
        row,
        form,
        hyperparameters: numbers,
        convention,
        decay_biases: given.flag("decay_biases", false),
        clip: clip(&given)?,
        adjust,
    })
}

fn clip(given: &Arguments<'_>) -> Result<Option<(Clip, f64)>> {
    let kinds = [
        ("clip_value", Clip::Value),
        ("clip_norm", Clip::Norm),
        ("clip_global_norm", Clip::GlobalNorm),
    ];
    let mut found = None;
    for (key, kind) in kinds {
        let Some(value) = given.optional(key) else { continue };
        let path = given.path(key);
        if let Some((other, _, _)) = found {
            return Err(Error::config(path, format!("{other} is given too"))
                .with_help("keep one of the two"));
        }
        let value = in_range(&path, value, |x| x > 0.0, "a number above 0, or null")?;
        found = Some((key, kind, value));
    }
    Ok(found.map(|(_, kind, value)| (kind, value)))
}

pub(super) fn training(config: &TrainingConfig, members: usize) -> Result<TrainingSettings> {
    if config.on_divergence == OnDivergence::Restart && members > 1 {
        let problem = format!("{members} networks side by side cannot restart one by one");
        return Err(Error::config("training.on_divergence", problem).with_help(
            "leave it at \"stop\", where a member that diverges is left standing and the others go \
             on; or train one network, without members and data.folds",
        ));
    }
    Ok(TrainingSettings {
        epochs: count("training.epochs", config.epochs)?,
        batch_size: count("training.batch_size", config.batch_size)?,
        drop_last: config.drop_last,
        accumulate: count("training.accumulate", config.accumulate)?,
        average: average(config)?,
        precision: config.precision,
        on_divergence: config.on_divergence,
    })
}

fn average(config: &TrainingConfig) -> Result<Option<AverageSettings>> {
    match (config.ema, config.average) {
        (Some(_), Some(_)) => Err(Error::config("training.average", "ema is given too")
            .with_help("keep one of the two averages")),
        (Some(momentum), None) => {
            let fits = |x: f64| x > 0.0 && x < 1.0;
            let momentum = in_range("training.ema", momentum, fits, "a number in (0, 1), or null")?;
            Ok(Some(AverageSettings::Exponential(momentum)))
        }
        (None, Some(average)) => {
            if average.from_epoch > config.epochs || average.from_epoch == 0 {
                return Err(Error::config(
                    "training.average.from_epoch",
                    format!(
                        "expected an epoch from 1 to the last, {}, found {}",
                        config.epochs, average.from_epoch
                    ),
                ));
            }
            Ok(Some(AverageSettings::Equal(average)))
        }
        (None, None) => Ok(None),
    }
}

pub(super) fn metrics(names: &[String]) -> Result<Vec<&'static MetricRow>> {
    let mut rows: Vec<&'static MetricRow> = Vec::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        let path = format!("metrics[{i}]");
        let row = metric::find(name).ok_or_else(|| {
            let known: Vec<_> = metric::METRICS.iter().map(|row| row.name).collect();
            unknown(path.as_str(), "metric", name, known)
        })?;
        if rows.iter().any(|other| other.name == row.name) {
            return Err(Error::config(path, format!("the metric {name:?} is given twice")));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// `given`: `None` when the key is left out, `Some(None)` when it is `null`.
pub(super) fn early_stopping(
    given: Option<&Option<EarlyStoppingConfig>>,
    has_validation: bool,
    metrics: Option<&[&'static MetricRow]>,
) -> Result<Option<EarlyStoppingSettings>> {
    let by_default;
    let config = match given {
        Some(None) => return Ok(None),
        None if !has_validation => return Ok(None),
        None => {
            by_default = EarlyStoppingConfig::default();
            &by_default
        }
        Some(Some(_)) if !has_validation => {
            return Err(Error::config("early_stopping", "asked for without a validation set")
                .with_help("give data.validation, or set early_stopping to null"));
        }
        Some(Some(config)) => config,
    };
    let names: Vec<_> = match metrics {
        Some(rows) => rows.iter().map(|row| row.name).collect(),
        None => metric::METRICS.iter().map(|row| row.name).collect(),
    };
    check_monitor("early_stopping.monitor", &config.monitor, &names)?;
    if let Some(baseline) = config.baseline {
        in_range("early_stopping.baseline", baseline, |_| true, "a finite number")?;
    }
    Ok(Some(EarlyStoppingSettings {
        monitor: config.monitor.clone(),
        mode: config.mode,
        patience: config.patience,
        min_delta: not_negative("early_stopping.min_delta", config.min_delta)?,
        restore_best: config.restore_best,
        start_from_epoch: config.start_from_epoch,
        baseline: config.baseline,
    }))
}

pub(super) fn checkpoint(config: &CheckpointConfig) -> Result<CheckpointConfig> {
    Ok(CheckpointConfig {
        every_epochs: count("checkpoint.every_epochs", config.every_epochs)?,
        every_seconds: not_negative("checkpoint.every_seconds", config.every_seconds)?,
        keep: count("checkpoint.keep", config.keep)?,
    })
}

/// A monitor is `loss` or one of `metrics`, with or without `val_` before it.
pub(super) fn check_monitor(path: &str, monitor: &str, metrics: &[&str]) -> Result<()> {
    let quantity = monitor.strip_prefix("val_").unwrap_or(monitor);
    if quantity == "loss" || metrics.contains(&quantity) {
        return Ok(());
    }
    let known: Vec<_> = ["val_", ""]
        .iter()
        .flat_map(|set| std::iter::once(&"loss").chain(metrics).map(move |q| format!("{set}{q}")))
        .collect();
    let error = unknown(path, "monitor", monitor, known.iter().map(String::as_str));
    Err(match error {
        Error::Config { location, path, problem, help } if metric::find(quantity).is_some() => {
            let help = format!("add {quantity:?} to the metrics, if it fits the task; {help}");
            Error::Config { location, path, problem, help }
        }
        error => error,
    })
}
