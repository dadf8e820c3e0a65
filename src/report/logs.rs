//! What a run appends to while it goes: metrics.jsonl, observations.jsonl, and an event file for
//! TensorBoard.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::tensorboard::{EventFile, EventsEnd};
use super::{each_member, number, scores_json};
use crate::config::Config;
use crate::disk::{AppendedFile, remove};
use crate::error::{Result, one_line};
use crate::train::observation::Observation;
use crate::train::{EpochRecord, Outcome, RestartRecord, StepRecord};

const METRICS: &str = "metrics.jsonl";
const OBSERVATIONS: &str = "observations.jsonl";

/// Where the logs of a run end, as a checkpoint knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogsEnd {
    /// Bytes of metrics.jsonl.
    metrics: u64,
    /// Bytes of observations.jsonl; none where there was no look yet.
    observations: Option<u64>,
    /// The event file's end; none without one.
    events: Option<EventsEnd>,
}

/// The logs of a run. What cannot be written into metrics.jsonl is an error; what cannot be into the
/// others is a warning, and the run goes on without.
#[derive(Debug)]
pub(super) struct Logs {
    folder: PathBuf,
    metrics: AppendedFile,
    observations: Observations,
    events: Option<EventFile>,
    /// Whether the last event was lost.
    events_fail: bool,
    /// What the user has yet to be told.
    warnings: Vec<String>,
}

/// observations.jsonl.
#[derive(Debug, Default)]
struct Observations {
    /// Made at the first look inside the network.
    file: Option<AppendedFile>,
    /// Whether the last look was lost.
    fail: bool,
}

impl LogsEnd {
    /// That of no logs.
    pub(super) const NONE: Self = Self { metrics: 0, observations: None, events: None };

    /// Whether the records in a folder reach that far. An event file may be missing: it repeats them.
    pub(super) fn is_reached(&self, folder: &Path) -> bool {
        let reaches = |name: &str, bytes: u64| {
            fs::metadata(folder.join(name)).is_ok_and(|found| found.len() >= bytes)
        };
        reaches(METRICS, self.metrics)
            && self.observations.is_none_or(|bytes| reaches(OBSERVATIONS, bytes))
    }
}

impl Logs {
    /// Begins those of a new run.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            metrics: AppendedFile::open(&folder.join(METRICS), 0)?,
            observations: Observations::default(),
            events: None,
            events_fail: false,
            warnings: Vec::new(),
        })
    }

    /// Goes on with those of a run where a checkpoint says that they end.
    pub(super) fn resume(folder: &Path, end: &LogsEnd, config: &Config) -> Result<Self> {
        let metrics = AppendedFile::open(&folder.join(METRICS), end.metrics)?;
        let path = folder.join(OBSERVATIONS);
        let file = match end.observations {
            Some(bytes) => Some(AppendedFile::open(&path, bytes)?),
            None => {
                remove(&path)?;
                None
            }
        };
        let observations = Observations { file, fail: false };
        let events = match &end.events {
            Some(end) if end.is_reached(folder) => Some(EventFile::resume(folder, end)?),
            // It is lost, or could not be made.
            _ if config.log.tensorboard => Some(EventFile::create(folder, config)?),
            _ => None,
        };
        let (folder, warnings) = (folder.to_owned(), Vec::new());
        Ok(Self { folder, metrics, observations, events, events_fail: false, warnings })
    }

    /// Begins the event file.
    pub(super) fn begin_events(&mut self, config: &Config) -> Result<()> {
        self.events = Some(EventFile::create(&self.folder, config)?);
        Ok(())
    }

    /// What could not be written since this was asked last.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Where they end; what is on record until there has reached the disk.
    ///
    /// # Errors
    /// When metrics.jsonl has not.
    pub(super) fn end(&mut self) -> Result<LogsEnd> {
        self.metrics.settle()?;
        if let Some(Err(error)) = self.observations.file.as_mut().map(AppendedFile::settle) {
            let what = "a run that is resumed has no looks inside the network from here on";
            self.warnings.push(format!("{}: {what}", one_line(&error)));
        }
        let observations = self.observations.file.as_ref().map(AppendedFile::settled);
        let events = self.events.as_mut().map(EventFile::settle).map(|(end, settled)| {
            if settled.is_err() {
                self.note_events(settled);
            }
            end
        });
        Ok(LogsEnd { metrics: self.metrics.settled(), observations, events })
    }

    fn append(&mut self, record: &Value) -> Result<()> {
        self.metrics.append(format!("{record}\n").as_bytes())
    }

    /// Warns where events begin to be lost.
    fn note_events(&mut self, written: Result<()>) {
        let failed = self.events_fail;
        self.events_fail = written.is_err();
        if let Err(error) = written
            && !failed
        {
            self.warnings.push(format!(
                "{}: TensorBoard goes without these events; the next ones are tried",
                one_line(&error)
            ));
        }
    }

    fn event(&mut self, add: impl FnOnce(&mut EventFile) -> Result<()>) {
        if let Some(written) = self.events.as_mut().map(add) {
            self.note_events(written);
        }
    }

    pub(super) fn observation(&mut self, observation: &Observation) {
        let failed = self.observations.fail;
        let written = self.observations.append(&self.folder.join(OBSERVATIONS), observation);
        self.observations.fail = written.is_err();
        if let Err(error) = written
            && !failed
        {
            self.warnings.push(format!(
                "{}: the look after epoch {} is left out; the next ones are tried",
                one_line(&error),
                observation.epoch
            ));
        }
        self.event(|events| events.observation(observation));
    }

    pub(super) fn step(&mut self, record: &StepRecord) -> Result<()> {
        let values = |all: &[f64]| each_member(all.iter().map(|value| number(*value)));
        self.append(&json!({
            "kind": "step",
            "step": record.step,
            "epoch": record.epoch,
            "loss": values(&record.loss),
            "learning_rate": values(&record.learning_rate),
            "grad_norm": values(&record.grad_norm),
            "penalty": values(&record.penalty),
        }))?;
        self.event(|events| events.step(record));
        Ok(())
    }

    pub(super) fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let mut line = json!({
            "kind": "epoch",
            "epoch": record.epoch,
            "step": record.step,
            "seconds": record.seconds,
            "samples_per_second": record.samples_per_second,
            "learning_rate": each_member(record.learning_rate.iter().map(|rate| number(*rate))),
            "train": scores_json(&record.train),
        });
        if let Some(validation) = &record.validation {
            line["validation"] = scores_json(validation);
        }
        self.append(&line)?;
        self.event(|events| events.epoch(record));
        Ok(())
    }

    pub(super) fn restarted(&mut self, record: &RestartRecord) -> Result<()> {
        self.append(&json!({
            "kind": "restart",
            "restart": record.restart,
            "epoch": record.epoch,
            "step": record.step,
            "problem": record.problem,
            "from_epoch": record.from_epoch,
            "factor": record.factor,
        }))
    }

    pub(super) fn finish(&mut self, outcome: &Outcome) {
        self.event(|events| events.finish(outcome));
    }
}

impl Observations {
    fn append(&mut self, path: &Path, observation: &Observation) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(AppendedFile::open(path, 0)?),
        };
        file.append(format!("{}\n", json!(observation)).as_bytes())
    }
}
