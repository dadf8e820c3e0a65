//! What a sweep writes down: an epoch of a trial a line, and what became of each trial.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::report::{each_member, number, scores_json};
use crate::train::Scores;
use crate::train::trials::{Leave, Left, TrialEpoch};

/// A line of epochs.jsonl. Scores are numbers, or lists with several members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The trial, from 0.
    pub trial: usize,
    /// Its epoch, from 1.
    pub epoch: usize,
    /// Learning rate of the last step.
    pub learning_rate: Value,
    /// Scores on the training rows, of the weights as they were at each step.
    pub train: Value,
    /// Scores on the validation rows.
    pub validation: Value,
    /// The value that trials are ranked by, a mean over the members; none where it is no number.
    pub value: Option<f64>,
    /// Whether the trial has ended by itself.
    pub ends: bool,
}

impl EpochRecord {
    pub(super) fn new(epoch: &TrialEpoch, value: f64) -> Self {
        Self {
            trial: epoch.trial,
            epoch: epoch.epoch,
            learning_rate: each_member(epoch.learning_rate.iter().map(|rate| number(*rate))),
            train: scores_json(&epoch.train),
            validation: epoch.validation.as_deref().map_or(Value::Null, scores_json),
            value: value.is_finite().then_some(value),
            ends: epoch.ends,
        }
    }
}

/// A line of trials.jsonl: what became of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// The trial, from 0.
    pub trial: usize,
    /// The group that it was trained in, from 0.
    pub group: usize,
    /// The values of the space's keys.
    pub values: Map<String, Value>,
    /// Why it ended; `paused` while it may go on.
    pub why: Leave,
    /// Epochs trained.
    pub epochs: usize,
    /// The epoch whose weights are kept, for each member.
    pub best_epoch: Vec<usize>,
    /// What trials are ranked by, of the weights kept: a mean over the members; none where it is no number.
    pub score: Option<f64>,
    /// Scores of the weights kept by set: numbers, or lists with several members.
    pub scores: BTreeMap<String, Value>,
}

impl TrialRecord {
    pub(super) fn new(left: &Left, group: usize, values: &Map<String, Value>, score: f64) -> Self {
        let scores = left.scores.iter().map(|(set, scores)| (set.clone(), scores_json(scores)));
        Self {
            trial: left.trial,
            group,
            values: values.clone(),
            why: left.why,
            epochs: left.epochs,
            best_epoch: left.best_epoch.clone(),
            score: score.is_finite().then_some(score),
            scores: scores.collect(),
        }
    }

    /// A score of a set, for each member.
    pub fn of_members(&self, set: &str, name: &str) -> Vec<f64> {
        let value = self.scores.get(set).and_then(|scores| scores.get(name));
        match value {
            Some(Value::Array(all)) => {
                all.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
            }
            Some(one) => vec![one.as_f64().unwrap_or(f64::NAN)],
            None => Vec::new(),
        }
    }
}

/// The value of a monitor in scores of a training and a validation set: the mean over the members that
/// have one.
pub(super) fn monitored(
    name: &str,
    train: Option<&[Scores]>,
    validation: Option<&[Scores]>,
) -> f64 {
    let (scores, name) = match name.strip_prefix("val_") {
        Some(name) => (validation, name),
        None => (train, name),
    };
    let values: Vec<f64> = scores
        .unwrap_or_default()
        .iter()
        .filter_map(|scores| scores.get(name))
        .filter(|value| value.is_finite())
        .collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// A record as a line.
pub(super) fn line<T: Serialize>(record: &T) -> Vec<u8> {
    let mut line = json!(record).to_string();
    line.push('\n');
    line.into_bytes()
}
