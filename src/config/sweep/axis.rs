//! One axis of a search space: a key of the config, the values that it takes, and when.

use serde_json::{Map, Number, Value};

use super::keys::Keys;
use super::{MOST_TRIALS, too_many};
use crate::config::overrides::{DEEPEST, segments};
use crate::error::{Error, Result, short};
use crate::random::{Purpose, Stream};

/// A key that is varied.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The key as written: its dotted path in the config, in which `*` is every element of a list.
    pub key: String,
    /// The same, part by part.
    pub segments: Vec<String>,
    /// The values that it takes.
    pub choices: Choices,
    /// What must hold for it to be varied: all of these.
    pub when: Vec<Condition>,
}

/// The values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum Choices {
    /// One of these.
    Choice(Vec<Value>),
    /// A number from an interval.
    Range {
        /// Its ends.
        ends: [f64; 2],
        /// Whether equal shares of the interval's logarithm are as likely.
        log: bool,
        /// Whether the number is whole.
        whole: bool,
        /// How many numbers a grid takes of it, the ends among them.
        points: Option<usize>,
    },
}

/// A key's value that an axis hangs on.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The key, part by part.
    pub segments: Vec<String>,
    /// It has one of these values.
    pub values: Vec<Value>,
}

/// Keys that say what is compared, or by what: trials that differ in them are not of one sweep.
const FIXED: [(&str, &str); 12] = [
    ("data.train", "trials are compared on the same data"),
    ("data.labels", "trials are compared on the same data"),
    ("data.validation", "trials are compared on the same rows"),
    ("data.validation_labels", "trials are compared on the same rows"),
    ("data.test", "trials are compared on the same rows"),
    ("data.test_labels", "trials are compared on the same rows"),
    ("data.target", "trials are compared on the same task"),
    ("data.task", "trials are compared on the same task"),
    ("data.folds", "trials are compared on the same folds"),
    ("metrics", "trials are compared by the same metrics"),
    ("log", "a sweep keeps records of its own"),
    ("checkpoint", "a sweep keeps one state for all its trials"),
];

const KINDS: [&str; 5] = ["choice", "uniform", "log_uniform", "int_uniform", "int_log_uniform"];

impl Axis {
    /// Where it stands in the sweep.
    pub fn path(&self) -> String {
        format!("space.{}", self.key)
    }

    /// Reads an axis: a list of values, or an object with one of the kinds.
    pub(super) fn read(key: &str, value: &Value) -> Result<Self> {
        let path = format!("space.{key}");
        let segments = segments(key).filter(|parts| parts.len() <= DEEPEST).ok_or_else(|| {
            Error::config(format!("space.{}", short(key)), "is no path of a key")
                .with_help("write it as optimizer.learning_rate or model.layers.0.units")
        })?;
        for (fixed, why) in FIXED {
            let is_under = key
                .strip_prefix(fixed)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            if is_under {
                return Err(Error::config(path, format!("may not vary within a sweep: {why}"))
                    .with_help("make a sweep of each"));
            }
        }
        if key == "training.on_divergence" {
            return Err(Error::config(path, "may not vary: a trial that diverges is stopped")
                .with_help("leave it out"));
        }
        let empty = Map::new();
        let (choices, when) = match value {
            Value::Array(values) => (choice(&path, values)?, Vec::new()),
            Value::Object(map) => {
                let mut keys = Keys::new(&path, map);
                let when = keys.take("when");
                let points = match keys.take("points") {
                    Some(points) => Some(keys.count("points", points)?),
                    None => None,
                };
                let given: Vec<(&str, &Value)> =
                    KINDS.into_iter().filter_map(|kind| Some((kind, keys.take(kind)?))).collect();
                keys.finish()?;
                let [(kind, values)] = given.as_slice() else {
                    let problem = match given.len() {
                        0 => "says no values",
                        _ => "says its values twice",
                    };
                    let known = KINDS.join(", ");
                    return Err(Error::config(path, problem)
                        .with_help(format!("give one of {known}; or a list of values")));
                };
                let Value::Array(values) = values else {
                    return Err(Error::config(format!("{path}.{kind}"), "expected a list"));
                };
                let choices = match *kind {
                    "choice" => choice(&path, values)?,
                    kind => range(&format!("{path}.{kind}"), kind, values, points)?,
                };
                if points.is_some() && *kind == "choice" {
                    return Err(Error::config(
                        format!("{path}.points"),
                        "a choice has as many points as values",
                    ));
                }
                let when = match when {
                    None => &empty,
                    Some(Value::Object(when)) => when,
                    Some(_) => {
                        return Err(Error::config(
                            format!("{path}.when"),
                            "expected an object of keys and the values that they must have",
                        ));
                    }
                };
                (
                    choices,
                    when.iter()
                        .map(|(k, v)| Condition::read(&path, k, v))
                        .collect::<Result<_>>()?,
                )
            }
            _ => {
                return Err(Error::config(path, "expected a list of values, or an object")
                    .with_help(r#"for example [0.001, 0.01] or { "log_uniform": [1e-4, 1e-1] }"#));
            }
        };
        Ok(Self { key: key.to_owned(), segments, choices, when })
    }

    /// The values that a grid takes.
    ///
    /// # Errors
    /// When it is an interval of no number of points.
    pub(super) fn grid(&self) -> Result<Vec<Value>> {
        let (ends, log, whole, points) = match &self.choices {
            Choices::Choice(values) => return Ok(values.clone()),
            Choices::Range { ends, log, whole, points } => (*ends, *log, *whole, *points),
        };
        let every = (whole && !log).then_some(((ends[1] - ends[0]) as usize).saturating_add(1));
        let points = points.or(every).ok_or_else(|| {
            Error::config(self.path(), "a grid takes points of an interval, and none are asked for")
                .with_help(r#"give "points": 5, or "search": { "name": "random", "trials": 64 }"#)
        })?;
        if points > MOST_TRIALS {
            return Err(too_many(&self.path(), points));
        }
        let at = |i: usize| match points {
            1 => 0.5,
            _ => i as f64 / (points - 1) as f64,
        };
        let mut values: Vec<Value> =
            (0..points).map(|i| number(between(ends, log, at(i)), ends, whole)).collect();
        values.dedup();
        Ok(values)
    }

    /// The value of a trial that is drawn: a number of its own for each trial and axis, so that a space
    /// that gains an axis keeps the values of the others.
    pub(super) fn draw(&self, seed: u64, trial: u32, index: u32) -> Value {
        let share = Stream::new(seed, Purpose::Sweep, index, trial).uniform_f64(0);
        match &self.choices {
            Choices::Choice(values) => {
                let at = (share * values.len() as f64) as usize;
                values[at.min(values.len() - 1)].clone()
            }
            Choices::Range { ends, log, whole: false, .. } => {
                number(between(*ends, *log, share), *ends, false)
            }
            // Each whole number has a unit of the interval.
            Choices::Range { ends: [least, most], log, whole: true, .. } => {
                let wide = [least - 0.5, most + 0.5];
                let drawn = match (log, *least > 0.0) {
                    (true, true) => between([least.max(0.5), most + 1.0], true, share).floor(),
                    _ => between(wide, false, share).round(),
                };
                number(drawn, [*least, *most], true)
            }
        }
    }
}

/// The number at a share of the way between two.
fn between([least, most]: [f64; 2], log: bool, share: f64) -> f64 {
    if log {
        (least.ln() + share * (most.ln() - least.ln())).exp()
    } else {
        least + share * (most - least)
    }
}

/// A JSON number within its ends; of numbers that are not whole the six digits that one would write.
fn number(value: f64, [least, most]: [f64; 2], whole: bool) -> Value {
    if whole {
        return Value::from(value.round().clamp(least, most) as i64);
    }
    let short: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    Number::from_f64(short.clamp(least, most)).map_or(Value::Null, Value::Number)
}

fn choice(path: &str, values: &[Value]) -> Result<Choices> {
    if values.is_empty() {
        return Err(Error::config(path, "is a list without values")
            .with_help("give at least two values, or leave the key out"));
    }
    if let Some((i, _)) = values.iter().enumerate().find(|(i, v)| values[..*i].contains(v)) {
        return Err(Error::config(format!("{path}[{i}]"), "the value is given twice"));
    }
    Ok(Choices::Choice(values.to_vec()))
}

fn range(path: &str, kind: &str, ends: &[Value], points: Option<usize>) -> Result<Choices> {
    let (log, whole) = (kind.contains("log"), kind.starts_with("int"));
    let numbers: Vec<f64> =
        ends.iter().filter_map(Value::as_f64).filter(|end| end.is_finite()).collect();
    let [least, most] = numbers[..] else {
        return Err(Error::config(path, "expected two numbers, [least, greatest]"));
    };
    if ends.len() != 2 {
        return Err(Error::config(path, "expected two numbers, [least, greatest]"));
    }
    // f64 holds these exactly.
    const MOST_WHOLE: f64 = (1_u64 << 53) as f64;
    let is_whole = |end: f64| end.fract() == 0.0 && end.abs() <= MOST_WHOLE;
    if whole && !(is_whole(least) && is_whole(most)) {
        return Err(Error::config(path, format!("{least} to {most} are not whole numbers")));
    }
    if least >= most {
        return Err(Error::config(path, format!("the interval from {least} to {most} is empty"))
            .with_help("give the least value first, and a greater one behind it"));
    }
    if log && least <= 0.0 {
        return Err(Error::config(
            path,
            format!("{least} has no logarithm: a log interval must lie above 0"),
        )
        .with_help("raise its lower end, such as 1e-6; or vary it evenly, with uniform"));
    }
    Ok(Choices::Range { ends: [least, most], log, whole, points })
}

impl Condition {
    fn read(path: &str, key: &str, value: &Value) -> Result<Self> {
        let path = format!("{path}.when.{key}");
        let segments = segments(key)
            .filter(|parts| parts.len() <= DEEPEST && !parts.contains(&"*".to_owned()))
            .ok_or_else(|| Error::config(&path, "is no path of one key"))?;
        let values = match value {
            Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        if values.is_empty() {
            return Err(Error::config(path, "is a list without values: it never holds"));
        }
        Ok(Self { segments, values })
    }
}
