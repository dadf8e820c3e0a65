//! The half of validation that is about training: loss, optimizer, schedule, early stopping.

use super::catalogs::{AUTO, Losses, Optimizers, Schedules};
use super::named::Named;
use super::settings::{EarlyStoppingSettings, OptimizerSettings, TrainingSettings};
use super::validate::{below_one, count, in_range, missing, not_negative};
use super::written::{EarlyStoppingConfig, TrainingConfig};
use crate::catalog::loss::{self, LossRow};
use crate::catalog::metric::{self, MetricRow};
use crate::catalog::optimizer::{self, Convention, OptimizerForm};
use crate::catalog::schedule::{self, ScheduleSettings, Warmup};
use crate::error::{Error, Result, unknown};

pub(super) fn loss(named: &Named<Losses>) -> Result<Option<&'static LossRow>> {
    named.look_up("loss")?;
    if named.name == AUTO {
        return Ok(None);
    }
    loss::find(&named.name).map(Some).ok_or_else(|| missing(&named.name))
}

pub(super) fn optimizer(named: &Named<Optimizers>) -> Result<OptimizerSettings> {
    let given = named.look_up("optimizer")?;
    let row = optimizer::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let convention = match given.text("convention") {
        Some("keras") => Convention::Keras,
        _ => Convention::Torch,
    };
    let mut numbers = (row.defaults)(convention);
    let rate = given.number("learning_rate", numbers.learning_rate);
    let above_zero = |x| x > 0.0;
    numbers.learning_rate =
        in_range("optimizer.learning_rate", rate, above_zero, "a number above 0")?;
    for (key, value) in
        [("weight_decay", &mut numbers.weight_decay), ("epsilon", &mut numbers.epsilon)]
    {
        *value = not_negative(&given.path(key), given.number(key, *value))?;
    }
    for (key, value) in [
        ("beta1", &mut numbers.beta1),
        ("beta2", &mut numbers.beta2),
        ("momentum", &mut numbers.momentum),
        ("rho", &mut numbers.rho),
    ] {
        *value = below_one(&given.path(key), given.number(key, *value))?;
    }
    let dampening = given.number("dampening", numbers.dampening);
    let share = |x| (0.0..=1.0).contains(&x);
    numbers.dampening = in_range("optimizer.dampening", dampening, share, "a number in [0, 1]")?;
    if convention == Convention::Keras && numbers.dampening > 0.0 {
        return Err(Error::config("optimizer.dampening", "the keras convention has no dampening")
            .with_help("leave it out, or take \"convention\": \"torch\""));
    }
    let form = OptimizerForm {
        keras: convention == Convention::Keras,
        with_momentum: numbers.momentum > 0.0,
        nesterov: given.flag("nesterov"),
        centered: given.flag("centered"),
    };
    if form.nesterov && (!form.with_momentum || numbers.dampening > 0.0) {
        return Err(Error::config(
            "optimizer.nesterov",
            "needs a momentum above 0 and no dampening",
        )
        .with_help("for example \"momentum\": 0.9"));
    }
    Ok(OptimizerSettings {
        row,
        form,
        hyperparameters: numbers,
        convention,
        decay_biases: given.flag("decay_biases"),
    })
}

pub(super) fn schedule(named: &Named<Schedules>, learning_rate: f64) -> Result<ScheduleSettings> {
    let given = named.look_up("schedule")?;
    let row = schedule::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let warmup = if given.has("warmup_epochs") {
        if given.has("warmup_steps") {
            return Err(Error::config("schedule.warmup_epochs", "warmup_steps is given too")
                .with_help("keep one of the two"));
        }
        let epochs = given.number("warmup_epochs", 0.0);
        Warmup::Epochs(not_negative("schedule.warmup_epochs", epochs)?)
    } else {
        Warmup::Steps(given.whole("warmup_steps", 0))
    };
    let mut value = 0.0;
    if let Some(parameter) = row.parameter {
        let fits = |x: f64| x >= 0.0 && x <= f64::from(learning_rate as f32).max(learning_rate);
        let expected = format!("a number from 0 to the learning rate, {learning_rate}");
        let given_value = given.number(parameter.name, parameter.default);
        value = in_range(&given.path(parameter.name), given_value, fits, &expected)?;
    }
    Ok(ScheduleSettings { row, warmup, value })
}

pub(super) fn training(config: &TrainingConfig) -> Result<TrainingSettings> {
    Ok(TrainingSettings {
        epochs: count("training.epochs", config.epochs)?,
        batch_size: count("training.batch_size", config.batch_size)?,
        drop_last: config.drop_last,
    })
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
    check_monitor(&config.monitor, &names)?;
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

/// A monitor is `loss` or one of `metrics`, with or without `val_` before it.
pub(super) fn check_monitor(monitor: &str, metrics: &[&str]) -> Result<()> {
    let quantity = monitor.strip_prefix("val_").unwrap_or(monitor);
    if quantity == "loss" || metrics.contains(&quantity) {
        return Ok(());
    }
    let known: Vec<_> = ["val_", ""]
        .iter()
        .flat_map(|set| std::iter::once(&"loss").chain(metrics).map(move |q| format!("{set}{q}")))
        .collect();
    let error =
        unknown("early_stopping.monitor", "monitor", monitor, known.iter().map(String::as_str));
    Err(match error {
        Error::Config { location, path, problem, help } if metric::find(quantity).is_some() => {
            let help = format!("add {quantity:?} to the metrics, if it fits the task; {help}");
            Error::Config { location, path, problem, help }
        }
        error => error,
    })
}
