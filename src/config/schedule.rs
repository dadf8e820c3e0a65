//! The schedule's part of the config: from its keys to settings and back.

use serde_json::{Map, Value as Json};

use super::catalogs::Schedules;
use super::named::{Arguments, Named};
use super::validate::{in_range, out_of_range};
use super::validate_model::missing;
use super::validate_training::check_monitor;
use crate::catalog::metric::{self, MetricRow};
use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};
use crate::catalog::schedule::{self, Length, ScheduleKey, ScheduleSettings, Value};
use crate::error::{Error, Result};

/// Keys of the warmup, which every schedule takes.
pub(super) const WARMUP: (&str, &str) = ("warmup_steps", "warmup_epochs");

/// What the rest of the config says of the schedule.
pub(super) struct Around<'a> {
    pub(super) learning_rate: f64,
    pub(super) convention: Convention,
    pub(super) has_validation: bool,
    pub(super) metrics: Option<&'a [&'static MetricRow]>,
}

/// The schedule's settings.
pub(super) fn validate(named: &Named<Schedules>, around: &Around) -> Result<ScheduleSettings> {
    let given = named.look_up("schedule")?;
    let row = schedule::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let base = around.learning_rate;
    let mut settings = ScheduleSettings::new(row, around.convention, base, around.has_validation);
    if let Some(warmup) = length(&given, WARMUP, row.own_warmup.is_none())? {
        settings.warmup = warmup;
    }
    for (key, value) in row.keys.iter().zip(&mut settings.values) {
        read(&given, key, value, around)?;
    }
    check_rates(&given, &settings)?;
    Ok(settings)
}

/// Puts what the config gives for a key in place of its default.
fn read(given: &Arguments, key: &ScheduleKey, value: &mut Value, around: &Around) -> Result<()> {
    match (key, value) {
        (ScheduleKey::Number(parameter), Value::Number(number)) => {
            *number = self::number(given, parameter, *number, around.learning_rate)?;
        }
        (ScheduleKey::Whole { name, default, .. }, Value::Whole(whole)) => {
            *whole = given.whole(name, *default);
        }
        (ScheduleKey::Flag { name, .. }, Value::Flag(flag)) if given.has(name) => {
            *flag = given.flag(name, *flag);
        }
        (ScheduleKey::Choice { name, names, .. }, Value::Choice(index)) => {
            let chosen = given.text(name);
            *index = names.iter().position(|name| chosen == Some(*name)).unwrap_or(*index);
        }
        (ScheduleKey::Length { steps, epochs, .. }, Value::Length(place)) => {
            if let Some(length) = length(given, (*steps, *epochs), false)? {
                *place = length;
            }
        }
        (ScheduleKey::Points { steps, epochs, .. }, Value::Points(place)) => {
            if let Some(points) = points(given, (*steps, *epochs))? {
                *place = points;
            }
        }
        (ScheduleKey::Rates { name, .. }, Value::Rates(rates)) => {
            if let Some(listed) = given.numbers(name) {
                for (i, rate) in listed.iter().enumerate() {
                    let fits = |x: f64| Range::NotNegative.fits(x);
                    let path = format!("{}[{i}]", given.path(name));
                    in_range(&path, *rate, fits, Range::NotNegative.expected())?;
                }
                *rates = listed;
            }
        }
        (ScheduleKey::Monitor, Value::Monitor(monitor)) => {
            if let Some(name) = given.text("monitor") {
                *monitor = name.to_owned();
            }
            self::monitor(&given.path("monitor"), monitor, around)?;
        }
        _ => {}
    }
    Ok(())
}

fn number(given: &Arguments, parameter: &Parameter, default: f64, base: f64) -> Result<f64> {
    let path = given.path(parameter.name);
    let value = given.number(parameter.name, default);
    if !parameter.range.fits(value) {
        return Err(out_of_range(&path, parameter.range.expected(), value));
    }
    // Rounded to 32 bits a minimum may pass the learning rate that it equals.
    if parameter.name == "minimum" && value > base.max(f64::from(base as f32)) {
        let expected = format!("a number from 0 to the learning rate, {base}");
        let error = out_of_range(&path, &expected, value);
        return Err(match given.has(parameter.name) {
            true => error,
            false => error.with_help("that is its default; give the key"),
        });
    }
    Ok(value)
}

/// One length, given in steps or in epochs; `None` when it is left out. It may be 0 or not.
fn length(
    given: &Arguments,
    (steps, epochs): (&'static str, &'static str),
    or_zero: bool,
) -> Result<Option<Length>> {
    one_of(given, steps, epochs)?;
    let range = if or_zero { Range::NotNegative } else { Range::Positive };
    if given.has(epochs) {
        let value = given.number(epochs, 0.0);
        let fits = |x: f64| range.fits(x);
        return in_range(&given.path(epochs), value, fits, range.expected())
            .map(|value| Some(Length::Epochs(value)));
    }
    if !given.has(steps) {
        return Ok(None);
    }
    match given.whole(steps, 0) {
        0 if !or_zero => Err(out_of_range(&given.path(steps), "a whole number, 1 or more", 0.0)),
        value => Ok(Some(Length::Steps(value))),
    }
}

/// Rising points, given in steps or in epochs; `None` when they are left out.
fn points(
    given: &Arguments,
    (steps, epochs): (&'static str, &'static str),
) -> Result<Option<Vec<Length>>> {
    one_of(given, steps, epochs)?;
    let Some(key) = [steps, epochs].into_iter().find(|key| given.has(key)) else {
        return Ok(None);
    };
    let listed = given.numbers(key).unwrap_or_default();
    if listed.is_empty() {
        return Err(Error::config(
            given.path(key),
            "expected a number or more, found an empty list",
        ));
    }
    let mut before = 0.0;
    for (i, point) in listed.iter().enumerate() {
        let path = format!("{}[{i}]", given.path(key));
        in_range(&path, *point, |x| Range::Positive.fits(x), Range::Positive.expected())?;
        if *point <= before {
            return Err(out_of_range(&path, &format!("more than the {before} before it"), *point));
        }
        before = *point;
    }
    Ok(Some(match given.whole_numbers(key) {
        Some(listed) if key == steps => listed.into_iter().map(Length::Steps).collect(),
        _ => listed.into_iter().map(Length::Epochs).collect(),
    }))
}

fn one_of(given: &Arguments, steps: &str, epochs: &str) -> Result<()> {
    if given.has(epochs) && given.has(steps) {
        return Err(Error::config(given.path(epochs), format!("{steps} is given too"))
            .with_help("keep one of the two"));
    }
    Ok(())
}

/// As many rates as stretches between the points.
fn check_rates(given: &Arguments, settings: &ScheduleSettings) -> Result<()> {
    let points = settings.values.iter().find_map(|value| match value {
        Value::Points(points) => Some(points.len()),
        _ => None,
    });
    for (key, value) in settings.row.keys.iter().zip(&settings.values) {
        if let (ScheduleKey::Rates { name, .. }, Value::Rates(rates), Some(points)) =
            (key, value, points)
            && rates.len() != points + 1
        {
            let problem = format!(
                "expected {} rates, one more than the boundaries, found {}",
                points + 1,
                rates.len()
            );
            return Err(Error::config(given.path(name), problem)
                .with_help("give the boundaries and the rates together"));
        }
    }
    Ok(())
}

fn monitor(path: &str, monitor: &str, around: &Around) -> Result<()> {
    let names: Vec<_> = match around.metrics {
        Some(rows) => rows.iter().map(|row| row.name).collect(),
        None => metric::METRICS.iter().map(|row| row.name).collect(),
    };
    check_monitor(path, monitor, &names)?;
    if monitor.starts_with("val_") && !around.has_validation {
        let problem = format!("{monitor:?} is asked for without a validation set");
        return Err(Error::config(path, problem)
            .with_help("give data.validation, or watch a value of the training set"));
    }
    Ok(())
}

/// The config that means the settings.
pub(super) fn resolved(settings: &ScheduleSettings) -> Named<Schedules> {
    let mut given = Map::new();
    for (key, value) in settings.row.keys.iter().zip(&settings.values) {
        let (name, json) = match (key, value) {
            (ScheduleKey::Number(parameter), Value::Number(number)) => {
                (parameter.name, Json::from(*number))
            }
            (ScheduleKey::Whole { name, .. }, Value::Whole(whole)) => (*name, (*whole).into()),
            (ScheduleKey::Flag { name, .. }, Value::Flag(flag)) => (*name, (*flag).into()),
            (ScheduleKey::Choice { name, names, .. }, Value::Choice(index)) => {
                (*name, names.get(*index).copied().into())
            }
            (ScheduleKey::Length { steps, epochs, .. }, Value::Length(length)) => {
                match written(*length, (*steps, *epochs)) {
                    Some(entry) => entry,
                    None => continue,
                }
            }
            (ScheduleKey::Points { steps, epochs, .. }, Value::Points(points)) => {
                let entries: Option<Vec<_>> =
                    points.iter().map(|point| written(*point, (*steps, *epochs))).collect();
                let Some(entries) = entries else { continue };
                let name = entries.first().map_or(*steps, |(name, _)| *name);
                (name, entries.into_iter().map(|(_, json)| json).collect())
            }
            (ScheduleKey::Rates { name, .. }, Value::Rates(rates)) => {
                (*name, rates.as_slice().into())
            }
            (ScheduleKey::Monitor, Value::Monitor(monitor)) => ("monitor", monitor.as_str().into()),
            _ => continue,
        };
        given.insert(name.to_owned(), json);
    }
    if let Some((name, json)) = written(settings.warmup, WARMUP) {
        given.insert(name.to_owned(), json);
    }
    Named::with(settings.row.name, given)
}

/// The key and value of a length; none for a share of the run, which is what leaving it out means.
fn written(
    length: Length,
    (steps, epochs): (&'static str, &'static str),
) -> Option<(&'static str, Json)> {
    match length {
        Length::Steps(count) => Some((steps, count.into())),
        Length::Epochs(count) => Some((epochs, count.into())),
        Length::Share(_) => None,
    }
}
