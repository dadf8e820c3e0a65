//! A sweep as written: a base config, a search space over its keys, and how the space is searched.

mod axis;
mod keys;
mod trials;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub use axis::{Axis, Choices, Condition};
use keys::Keys;
pub use trials::TrialConfig;

use super::locations::Locations;
use super::parse;
use crate::error::{Error, Result, unknown};

/// A sweep: what is tried.
#[derive(Debug, Clone)]
pub struct SweepConfig {
    /// The config whose keys are varied, as JSON.
    pub base: Value,
    /// The folder that its paths are relative to.
    pub folder: PathBuf,
    /// The search space, in the order as written.
    pub axes: Vec<Axis>,
    /// Which points of the space are tried.
    pub search: Search,
    /// Which trials are stopped early.
    pub scheduler: Scheduler,
    /// What trials are ranked by, such as `val_loss`; none is what early stopping watches.
    pub monitor: Option<String>,
    /// Seed of the search.
    pub seed: u64,
    /// Trials that are trained side by side at most; none is as many as the device has room for.
    pub lanes: Option<usize>,
    locations: Locations,
    base_locations: Locations,
}

/// Which points of a space are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Each combination of the axes' values.
    Grid,
    /// So many points drawn at random.
    Random {
        /// Their number.
        trials: usize,
    },
}

/// Which trials are stopped before their last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// None but by their own early stopping.
    None,
    /// All are trained to `min_epochs`; the best of each `reduction` go on to `reduction` times as many
    /// epochs, and so forth (Jamieson and Talwalkar, AISTATS 2016).
    SuccessiveHalving(Rungs),
    /// The same rungs, at which a trial goes on that is among the best of each `reduction` that came there
    /// so far: nothing waits (Li et al., MLSys 2020; in the form that stops and does not pause).
    Asha(Rungs, RankedBy),
    /// A trial stops whose best value is worse than the median of the others' mean values up to the same
    /// epoch (Golovin et al., KDD 2017).
    Median {
        /// The first epoch at whose end trials are compared.
        min_epochs: usize,
    },
}

/// What ASHA compares trials by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankedBy {
    /// Their scores so far.
    Score,
    /// What their scores come to by the last epoch, if they go on falling as those of trials of like
    /// settings do.
    Forecast,
}

/// The epochs at which trials are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rungs {
    /// The first.
    pub min_epochs: usize,
    /// Each of the others is so many times the one before.
    pub reduction: usize,
}

impl Rungs {
    /// Whether trials of at most so many epochs are compared at the end of one.
    pub fn has(&self, epoch: usize, epochs: usize) -> bool {
        let mut rung = self.min_epochs;
        while rung < epoch {
            rung = rung.saturating_mul(self.reduction);
        }
        rung == epoch && epoch < epochs
    }
}

/// Most trials of a sweep.
pub const MOST_TRIALS: usize = 100_000;

impl SweepConfig {
    /// Reads a sweep file, and the config that it names.
    ///
    /// # Errors
    /// When a file cannot be read or is not JSON, or a key is unknown or has a value that cannot be used.
    pub fn load(file: &Path) -> Result<Self> {
        let text = parse::read_text(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &file.display().to_string(), folder)
    }

    /// Reads the text of a sweep; `file` names it in errors, and paths are relative to `folder`.
    ///
    /// # Errors
    /// Those of [`SweepConfig::load`].
    pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Self> {
        let (value, locations) = parse::tree(text, file)?;
        read(&value, &locations, folder).map_err(|error| locations.locate(error))
    }

    /// Fills in the file's line in an error about one of the sweep's keys.
    pub fn locate(&self, error: Error) -> Error {
        self.locations.locate(error)
    }

    /// Where an axis stands, as an error begins with it.
    fn place_of(&self, axis: &Axis) -> String {
        self.locations.of(&axis.path())
    }
}

fn read(value: &Value, locations: &Locations, folder: &Path) -> Result<SweepConfig> {
    let empty = Map::new();
    let mut keys = Keys::new("", value.as_object().unwrap_or(&empty));
    let (base, base_locations, folder) = match keys.take("config") {
        Some(Value::String(file)) => {
            let path = folder.join(file);
            let text = parse::read_text(&path)?;
            let (base, found) = parse::tree(&text, &path.display().to_string())?;
            (base, found, path.parent().unwrap_or(Path::new("")).to_owned())
        }
        Some(inline @ Value::Object(_)) => {
            (inline.clone(), locations.under("config"), folder.to_owned())
        }
        Some(other) => return Err(keys.wrong("config", "a config's path, or a config", other)),
        None => {
            return Err(Error::config("config", "the key is required and not given").with_help(
                r#"the shortest sweep is {"config": "digits.json", "space": {"optimizer.learning_rate": [0.001, 0.01]}}"#,
            ));
        }
    };
    let axes = match keys.take("space") {
        Some(Value::Object(space)) if !space.is_empty() => {
            space.iter().map(|(key, value)| Axis::read(key, value)).collect::<Result<Vec<_>>>()?
        }
        Some(Value::Object(_)) | None => {
            return Err(Error::config("space", "no key of the config is varied").with_help(
                r#"give at least one, such as "optimizer.learning_rate": { "log_uniform": [1e-4, 1e-1] }"#,
            ));
        }
        Some(other) => {
            return Err(keys.wrong("space", "an object of keys and their values", other));
        }
    };
    let search = read_search(&mut keys)?;
    let scheduler = read_scheduler(&mut keys)?;
    let monitor = match keys.take("monitor") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.clone()),
        Some(other) => {
            return Err(keys.wrong("monitor", "a name such as \"val_loss\"", other));
        }
    };
    let seed = match keys.take("seed") {
        None => 42,
        Some(value) => {
            value.as_u64().ok_or_else(|| keys.wrong("seed", "a whole number, 0 or more", value))?
        }
    };
    let lanes = match keys.take("lanes") {
        None | Some(Value::Null) => None,
        Some(value) => Some(keys.count("lanes", value)?),
    };
    keys.finish()?;
    Ok(SweepConfig {
        base,
        folder,
        axes,
        search,
        scheduler,
        monitor,
        seed,
        lanes,
        locations: locations.clone(),
        base_locations,
    })
}

/// A name, or an object with that `name` and keys of its own.
fn named<'a>(keys: &mut Keys<'a>, key: &str, names: &[&str]) -> Result<Option<(String, Keys<'a>)>> {
    let (name, own) = match keys.take(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(name)) => (name.clone(), Keys::none(key)),
        Some(Value::Object(map)) => {
            let mut own = Keys::new(key, map);
            match own.take("name") {
                Some(Value::String(name)) => (name.clone(), own),
                Some(other) => return Err(own.wrong("name", "a name", other)),
                None => {
                    let known = names.join(", ");
                    return Err(Error::config(
                        format!("{key}.name"),
                        format!("the key is required and not given; expected one of {known}"),
                    ));
                }
            }
        }
        Some(other) => return Err(keys.wrong(key, "a name or an object with a name", other)),
    };
    if names.contains(&name.as_str()) {
        Ok(Some((name, own)))
    } else {
        Err(unknown(key.to_owned(), key, &name, names.iter().copied()))
    }
}

fn read_search(keys: &mut Keys) -> Result<Search> {
    let Some((name, mut own)) = named(keys, "search", &["grid", "random"])? else {
        return Ok(Search::Grid);
    };
    let search = if name == "grid" {
        Search::Grid
    } else {
        let trials = own.take("trials").ok_or_else(|| {
            Error::config("search.trials", "the key is required and not given")
                .with_help(r#"say how many points are drawn: { "name": "random", "trials": 64 }"#)
        })?;
        let trials = own.count("trials", trials)?;
        if trials > MOST_TRIALS {
            return Err(too_many("search.trials", trials));
        }
        Search::Random { trials }
    };
    own.finish()?;
    Ok(search)
}

/// The error of more trials than a sweep may have.
fn too_many(path: &str, trials: usize) -> Error {
    Error::config(path, format!("{trials} trials are more than the {MOST_TRIALS} of a sweep"))
        .with_help(r#"draw some of them: "search": { "name": "random", "trials": 1000 }"#)
}

fn read_scheduler(keys: &mut Keys) -> Result<Scheduler> {
    let names = ["successive_halving", "asha", "median"];
    let Some((name, mut own)) = named(keys, "scheduler", &names)? else {
        return Ok(Scheduler::None);
    };
    let mut count = |key: &str, default: usize, least: usize| match own.take(key) {
        None => Ok(default),
        Some(value) => {
            let count = own.count(key, value)?;
            if count < least {
                return Err(own.wrong(key, &format!("a whole number, {least} or more"), value));
            }
            Ok(count)
        }
    };
    let scheduler = if name == "median" {
        Scheduler::Median { min_epochs: count("min_epochs", 5, 1)? }
    } else {
        let min_epochs = count("min_epochs", 3, 1)?;
        let rungs = Rungs { min_epochs, reduction: count("reduction", 3, 2)? };
        match name.as_str() {
            "asha" => Scheduler::Asha(rungs, read_ranked_by(&mut own)?),
            _ => Scheduler::SuccessiveHalving(rungs),
        }
    };
    own.finish()?;
    Ok(scheduler)
}

fn read_ranked_by(keys: &mut Keys) -> Result<RankedBy> {
    match keys.take("ranked_by") {
        None => Ok(RankedBy::Score),
        Some(Value::String(by)) if by == "score" => Ok(RankedBy::Score),
        Some(Value::String(by)) if by == "forecast" => Ok(RankedBy::Forecast),
        Some(value) => Err(keys.wrong("ranked_by", "\"score\" or \"forecast\"", value)),
    }
}

#[cfg(test)]
mod tests;
