//! The trials of a sweep: the points of its space, each as a config.

use serde_json::{Map, Value};

use super::{Axis, Condition, MOST_TRIALS, Search, SweepConfig, too_many};
use crate::config::Config;
use crate::config::overrides::set;
use crate::error::{Error, Result};

/// A trial: a point of the space, and the config that it means.
#[derive(Debug, Clone)]
pub struct TrialConfig {
    /// The values of its axes by their keys, in the order of the space; an axis whose condition does not
    /// hold has none.
    pub values: Map<String, Value>,
    /// The config.
    pub config: Config,
}

impl SweepConfig {
    /// The config that is varied.
    ///
    /// # Errors
    /// A key that is unknown, or of a value that cannot be used.
    pub fn base_config(&self) -> Result<Config> {
        Config::from_value(self.base.clone(), self.base_locations.clone())
    }

    /// The trials, in order.
    ///
    /// # Errors
    /// When a key of the space is unknown or gets a value that cannot be used, or they are too many.
    pub fn trials(&self) -> Result<Vec<TrialConfig>> {
        match self.search {
            Search::Grid => self.grid(),
            Search::Random { trials } => (0..trials).map(|trial| self.drawn(trial)).collect(),
        }
    }

    fn grid(&self) -> Result<Vec<TrialConfig>> {
        let mut points = vec![Point::of(self)];
        for (index, axis) in self.axes.iter().enumerate() {
            let values = axis.grid().map_err(|error| self.locate(error))?;
            // Before any of them is made.
            let more = |point: &Point| if point.meets(&axis.when) { values.len() } else { 1 };
            let trials = points.iter().map(more).fold(0, usize::saturating_add);
            if trials > MOST_TRIALS {
                let count = self.axes.iter().map(|axis| axis.grid().map_or(1, |v| v.len()));
                let count = count.fold(1_usize, usize::saturating_mul);
                return Err(self.locate(too_many("space", count)));
            }
            let mut next = Vec::with_capacity(trials);
            for point in points {
                if !point.meets(&axis.when) {
                    next.push(point);
                    continue;
                }
                for value in &values {
                    let mut point = point.clone();
                    point
                        .give(index, axis, value.clone())
                        .map_err(|error| self.within(axis, error))?;
                    next.push(point);
                }
            }
            points = next;
        }
        points.into_iter().map(|point| self.config_of(point)).collect()
    }

    fn drawn(&self, trial: usize) -> Result<TrialConfig> {
        let mut point = Point::of(self);
        for (index, axis) in self.axes.iter().enumerate() {
            if point.meets(&axis.when) {
                let value = axis.draw(self.seed, trial as u32, index as u32);
                point.give(index, axis, value).map_err(|error| self.within(axis, error))?;
            }
        }
        self.config_of(point)
    }

    /// The error of a path that leads nowhere, at the axis that names it.
    fn within(&self, axis: &Axis, error: Error) -> Error {
        match error {
            Error::Config { location, path, problem, help } if location.is_empty() => {
                Error::Config { location: self.place_of(axis), path, problem, help }
            }
            other => other,
        }
    }

    fn config_of(&self, point: Point) -> Result<TrialConfig> {
        let mut locations = self.base_locations.clone();
        for (path, axis) in &point.paths {
            locations.note_elsewhere(path, &self.place_of(&self.axes[*axis]));
        }
        let config = Config::from_value(point.config, locations)?;
        Ok(TrialConfig { values: point.values, config })
    }
}

/// A point of the space that is being made.
#[derive(Debug, Clone)]
struct Point {
    values: Map<String, Value>,
    config: Value,
    /// The keys that were set, as errors name them, by the index of their axis.
    paths: Vec<(String, usize)>,
}

impl Point {
    fn of(sweep: &SweepConfig) -> Self {
        Self { values: Map::new(), config: sweep.base.clone(), paths: Vec::new() }
    }

    fn give(&mut self, index: usize, axis: &Axis, value: Value) -> Result<()> {
        for segments in each_element(&self.config, &axis.segments)? {
            let path = set(&mut self.config, &segments, value.clone())?;
            self.paths.push((path, index));
        }
        self.values.insert(axis.key.clone(), value);
        Ok(())
    }

    fn meets(&self, conditions: &[Condition]) -> bool {
        conditions.iter().all(|condition| {
            let found = value_at(&self.config, &condition.segments);
            condition.values.iter().any(|value| found.as_ref() == Some(value))
        })
    }
}

/// The paths that one with `*` means in a config.
fn each_element(config: &Value, segments: &[String]) -> Result<Vec<Vec<String>>> {
    let Some(star) = segments.iter().position(|segment| segment == "*") else {
        return Ok(vec![segments.to_vec()]);
    };
    let before = segments[..star].join(".");
    let Some(Value::Array(elements)) = value_at(config, &segments[..star]) else {
        return Err(Error::config(
            before,
            "the config gives no such list, so * is none of its elements",
        )
        .with_help("write the list into the config that is varied"));
    };
    if elements.is_empty() {
        return Err(Error::config(before, "the list is empty, so * is none of its elements"));
    }
    let mut all = Vec::new();
    for index in 0..elements.len() {
        let mut own = segments.to_vec();
        own[star] = index.to_string();
        all.extend(each_element(config, &own)?);
    }
    Ok(all)
}

/// The value at a path, where one is given. A name alone has itself as its `name`.
fn value_at(config: &Value, segments: &[String]) -> Option<Value> {
    let mut place = config;
    for (i, segment) in segments.iter().enumerate() {
        place = match place {
            Value::Object(entries) => entries.get(segment)?,
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?)?,
            Value::String(_) if segment == "name" && i + 1 == segments.len() => place,
            _ => return None,
        };
    }
    match place {
        Value::Object(entries) => {
            entries.get("name").filter(|_| entries.len() == 1).or(Some(place)).cloned()
        }
        other => Some(other.clone()),
    }
}
