//! A run folder read again, as far as it goes: what is missing or damaged is told, and gone without.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use crate::analysis::Analysis;
use crate::error::{Error, Result};
use crate::train::observation::Observation;

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// The folder's name.
    pub name: String,
    /// config.json as it stands.
    pub config_text: String,
    /// The same, parsed; null where it cannot be.
    pub config: Value,
    /// summary.json; null where there is none.
    pub summary: Value,
    /// The epochs of metrics.jsonl.
    pub epochs: Vec<EpochLine>,
    /// The steps of metrics.jsonl.
    pub steps: Vec<StepLine>,
    /// observations.jsonl.
    pub observations: Vec<Observation>,
    /// analysis.json.
    pub analysis: Option<Analysis>,
    /// What could not be read, a sentence each.
    pub problems: Vec<String>,
}

/// Scores by name, each with a value for every member.
pub type MemberScores = Vec<(String, Vec<f64>)>;

/// An epoch. A list over members holds NaN for a member that has no number.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochLine {
    /// Epoch, from 1.
    pub epoch: f64,
    /// Rows trained on in a second.
    pub samples_per_second: f64,
    /// By member: the learning rate.
    pub learning_rate: Vec<f64>,
    /// Scores on the training rows: name and a value for each member.
    pub train: MemberScores,
    /// Those on the validation rows; empty where there are none.
    pub validation: MemberScores,
}

/// A logged step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepLine {
    /// Step, from 1.
    pub step: f64,
    /// By member: the batch's loss.
    pub loss: Vec<f64>,
    /// By member: the norm of the gradient.
    pub grad_norm: Vec<f64>,
}

/// A value of one member, or a list over members; null is NaN.
pub(super) fn by_member(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => {
            values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
        }
        value => vec![value.as_f64().unwrap_or(f64::NAN)],
    }
}

/// Scores by name.
pub(super) fn scores(value: &Value) -> MemberScores {
    let empty = Map::new();
    let scores = value.as_object().unwrap_or(&empty);
    scores.iter().map(|(name, value)| (name.clone(), by_member(value))).collect()
}

impl RunRecord {
    /// Reads a run folder.
    ///
    /// # Errors
    /// When it holds neither a config nor a log: then it is no run.
    pub fn read(folder: &Path) -> Result<Self> {
        let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name =
            name.file_name().map_or("run".into(), |name| name.to_string_lossy()).into_owned();
        if !["config.json", "metrics.jsonl"].iter().any(|file| folder.join(file).exists()) {
            let problem = format!("{} holds no run", folder.display());
            return Err(
                Error::usage(problem).with_help("give the folder that `wgfit train` printed")
            );
        }
        let mut record = Self {
            name,
            config_text: String::new(),
            config: Value::Null,
            summary: Value::Null,
            epochs: Vec::new(),
            steps: Vec::new(),
            observations: Vec::new(),
            analysis: None,
            problems: Vec::new(),
        };
        record.config_text = fs::read_to_string(folder.join("config.json")).unwrap_or_default();
        record.config = record.json(folder, "config.json");
        record.summary = record.json(folder, "summary.json");
        record.read_metrics(folder);
        let mut observations = Vec::new();
        record.lines(folder, "observations.jsonl", &mut |line| {
            observations.push(serde_json::from_str(line).ok()?);
            Some(())
        });
        record.observations = observations;
        let file = folder.join("analysis.json");
        match fs::read(&file).map(|text| serde_json::from_slice(&text)) {
            Ok(Ok(analysis)) => record.analysis = Some(analysis),
            Ok(Err(error)) => {
                record.problems.push(format!("analysis.json cannot be read: {error}."));
            }
            Err(_) => {}
        }
        Ok(record)
    }

    /// A file of JSON; null, and a word, where it cannot be read.
    fn json(&mut self, folder: &Path, name: &str) -> Value {
        match fs::read(folder.join(name)) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                self.problems.push(format!("{name} cannot be read: {error}."));
                Value::Null
            }),
            Err(_) => {
                self.problems.push(format!("There is no {name}: what it tells is left out."));
                Value::Null
            }
        }
    }

    /// Takes a file line by line; a file that is not there has none.
    fn lines(&mut self, folder: &Path, name: &str, take: &mut dyn FnMut(&str) -> Option<()>) {
        let Ok(file) = fs::File::open(folder.join(name)) else { return };
        let mut damaged = 0;
        for line in BufReader::new(file).lines() {
            let taken = line.ok().and_then(|line| take(&line));
            damaged += usize::from(taken.is_none());
        }
        if damaged > 0 {
            let lines = if damaged == 1 { "line" } else { "lines" };
            self.problems.push(format!("{damaged} {lines} of {name} cannot be read."));
        }
    }

    fn read_metrics(&mut self, folder: &Path) {
        let (mut epochs, mut steps) = (Vec::new(), Vec::new());
        self.lines(folder, "metrics.jsonl", &mut |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            match line["kind"].as_str()? {
                "epoch" => epochs.push(EpochLine {
                    epoch: line["epoch"].as_f64()?,
                    samples_per_second: line["samples_per_second"].as_f64().unwrap_or(f64::NAN),
                    learning_rate: by_member(&line["learning_rate"]),
                    train: scores(&line["train"]),
                    validation: scores(&line["validation"]),
                }),
                "step" => steps.push(StepLine {
                    step: line["step"].as_f64()?,
                    loss: by_member(&line["loss"]),
                    grad_norm: by_member(&line["grad_norm"]),
                }),
                _ => {}
            }
            Some(())
        });
        (self.epochs, self.steps) = (epochs, steps);
    }

    /// Networks trained side by side.
    pub fn members(&self) -> usize {
        let said = self.summary["members"].as_u64().or_else(|| self.config["members"].as_u64());
        said.and_then(|members| usize::try_from(members).ok()).unwrap_or(1)
    }
}
