//! What a run appends to while it goes: metrics.jsonl, observations.jsonl, and an event file for
//! TensorBoard.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::tensorboard::{EventFile, EventsEnd};
use super::{each_member, number, scores_json};
use crate::config::Config;
use crate::error::{Error, Result};
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

/// The logs of a run.
#[derive(Debug)]
pub(super) struct Logs {
    folder: PathBuf,
    metrics: File,
    /// Made at the first look inside the network.
    observations: Option<File>,
    events: Option<EventFile>,
}

impl LogsEnd {
    /// Whether the records in a folder reach that far. An event file may be missing: it repeats them.
    pub(super) fn is_reached(&self, folder: &Path) -> bool {
        let reaches = |name: &str, bytes: u64| {
            fs::metadata(folder.join(name)).is_ok_and(|found| found.len() >= bytes)
        };
        reaches(METRICS, self.metrics)
            && self.observations.is_none_or(|bytes| reaches(OBSERVATIONS, bytes))
    }
}

/// Opens a log to go on with after its first bytes; what follows them is gone.
pub(super) fn reopen(path: &Path, bytes: u64) -> Result<File> {
    let fail = |error| Error::io("write", path, error);
    let mut file = OpenOptions::new().write(true).open(path).map_err(fail)?;
    file.set_len(bytes).map_err(fail)?;
    file.seek(SeekFrom::End(0)).map_err(fail)?;
    Ok(file)
}

/// What of a log is on its way to the disk has arrived there afterwards; returns its bytes.
fn settle(file: &mut File, path: &Path) -> Result<u64> {
    let fail = |error| Error::io("write", path, error);
    file.sync_data().map_err(fail)?;
    file.stream_position().map_err(fail)
}

impl Logs {
    /// Begins those of a new run.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let file = folder.join(METRICS);
        let metrics = File::create(&file).map_err(|error| Error::io("create", &file, error))?;
        Ok(Self { folder: folder.to_owned(), metrics, observations: None, events: None })
    }

    /// Goes on with those of a run where a checkpoint says that they end.
    pub(super) fn resume(folder: &Path, end: &LogsEnd, config: &Config) -> Result<Self> {
        let metrics = reopen(&folder.join(METRICS), end.metrics)?;
        let observations = folder.join(OBSERVATIONS);
        let observations = match end.observations {
            Some(bytes) => Some(reopen(&observations, bytes)?),
            None => {
                remove(&observations)?;
                None
            }
        };
        let events = match &end.events {
            Some(end) if end.is_reached(folder) => Some(EventFile::resume(folder, end)?),
            Some(_) => Some(EventFile::create(folder, config)?),
            None => None,
        };
        Ok(Self { folder: folder.to_owned(), metrics, observations, events })
    }

    /// Begins the event file.
    pub(super) fn begin_events(&mut self, config: &Config) -> Result<()> {
        self.events = Some(EventFile::create(&self.folder, config)?);
        Ok(())
    }

    /// Where they end; what is on record until there has reached the disk.
    pub(super) fn end(&mut self) -> Result<LogsEnd> {
        let metrics = settle(&mut self.metrics, &self.folder.join(METRICS))?;
        let path = self.folder.join(OBSERVATIONS);
        let observations =
            self.observations.as_mut().map(|file| settle(file, &path)).transpose()?;
        let events = self.events.as_mut().map(EventFile::settle).transpose()?;
        Ok(LogsEnd { metrics, observations, events })
    }

    fn append(&mut self, record: &Value) -> Result<()> {
        let line = format!("{record}\n");
        self.metrics
            .write_all(line.as_bytes())
            .map_err(|error| Error::io("write", &self.folder.join(METRICS), error))
    }

    pub(super) fn observation(&mut self, observation: &Observation) -> Result<()> {
        let path = self.folder.join(OBSERVATIONS);
        let file = match &mut self.observations {
            Some(file) => file,
            None => {
                let file =
                    File::create(&path).map_err(|error| Error::io("create", &path, error))?;
                self.observations.insert(file)
            }
        };
        let line = format!("{}\n", json!(observation));
        file.write_all(line.as_bytes()).map_err(|error| Error::io("write", &path, error))?;
        self.events.as_mut().map_or(Ok(()), |events| events.observation(observation))
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
        self.events.as_mut().map_or(Ok(()), |events| events.step(record))
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
        self.events.as_mut().map_or(Ok(()), |events| events.epoch(record))
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

    pub(super) fn finish(&mut self, outcome: &Outcome) -> Result<()> {
        self.events.as_mut().map_or(Ok(()), |events| events.finish(outcome))
    }
}

/// Removes a file; one that is not there is no error.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    }
}
