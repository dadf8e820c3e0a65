//! A starting config for a data file: a look at the file, rules that fit every choice to its rows, its
//! columns and its task, and the config as text with a word on each choice.
//!
//! The rules are those that `benches/peers/starting.py` holds to scikit-learn's networks and to linear models.
//! They know rows, inputs, classes and values, and no data set by name.

mod profile;
mod rules;
mod text;

use std::path::PathBuf;

use serde_json::json;

use crate::config::Config;
use crate::config::data::Task;
use crate::error::{Error, Result};
use rules::Choices;

/// What a config is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The file to train on, as it is to stand in the config.
    pub data: String,
    /// Its labels, where the format keeps them apart.
    pub labels: Option<String>,
    /// A file of test rows.
    pub test: Option<String>,
    /// Its labels.
    pub test_labels: Option<String>,
    /// The target columns, by name or index.
    pub targets: Vec<String>,
    /// Whether those are indices, from 0.
    pub by_index: bool,
    /// The task, unless it is to be found.
    pub task: Option<Task>,
    /// Where the config will stand: its paths are relative to this folder.
    pub folder: PathBuf,
}

impl Request {
    /// The `data` part of a config.
    fn data(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut data = serde_json::Map::new();
        data.insert("train".into(), json!(self.data));
        for (key, value) in [("labels", &self.labels), ("test_labels", &self.test_labels)] {
            if let Some(value) = value {
                data.insert(key.into(), json!(value));
            }
        }
        let target = |target: &String| match target.parse::<usize>() {
            Ok(index) if self.by_index => json!(index),
            _ => json!(target),
        };
        let targets: Vec<_> = self.targets.iter().map(target).collect();
        match targets.as_slice() {
            [] => {}
            [one] => drop(data.insert("target".into(), one.clone())),
            several => drop(data.insert("target".into(), json!(several))),
        }
        if let Some(task) = self.task {
            data.insert("task".into(), json!(task));
        }
        data
    }
}

/// Looks at the file and writes a config for it: JSON with comments.
///
/// # Errors
/// Those of reading the file: a column that is not there, cells that cannot be used, a task that does not
/// fit.
pub fn propose(request: &Request) -> Result<String> {
    let (profile, request) = profile::look(request)?;
    let choices = Choices::of(&profile);
    let text = text::write(&request, &profile, &choices);
    // What is printed must train as it is.
    let config = Config::parse(&text, "the proposed config", &[]);
    config
        .and_then(|config| config.validate(&request.folder)?.fit_task(profile.task))
        .map_err(|error| Error::internal(format!("the proposed config is refused: {error}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests;
