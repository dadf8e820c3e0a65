//! The run folder: config.json, metrics.jsonl, observations.jsonl, summary.json, model.safetensors,
//! analysis.json, report.html, and event files for TensorBoard.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::tensorboard::{EventFile, PREFIX};
use super::{each_member, number, scores_json};
use crate::analysis::Analysis;
use crate::audit::Finding;
use crate::backend::{ChosenTile, DeviceDescription};
use crate::baseline::Baselines;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::{Model, write_atomically};
use crate::program::Precision;
use crate::train::observation::Observation;
use crate::train::{EpochRecord, Outcome, StepRecord};

/// What a run writes; the rest of a folder is not wgfit's.
const FILES: [&str; 7] = [
    "config.json",
    "metrics.jsonl",
    "observations.jsonl",
    "summary.json",
    "model.safetensors",
    "analysis.json",
    "report.html",
];

/// A folder that a run writes into.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    /// Made at the first look inside the network.
    observations: Option<File>,
    events: Option<EventFile>,
}

/// What the summary tells beside the outcome of the training.
#[derive(Debug, Clone)]
pub struct RunFacts<'a> {
    /// What it ran on.
    pub device: &'a DeviceDescription,
    /// Seconds from the start of the process to its first step.
    pub startup_seconds: f64,
    /// Hash of the encoded data.
    pub data_hash: &'a str,
    /// Rows of each set.
    pub rows: &'a [(&'static str, usize)],
    /// Folds of the training rows, where the run is a cross-validation.
    pub folds: Option<usize>,
    /// The task.
    pub task: String,
    /// The loss.
    pub loss: &'static str,
    /// What was found in the data before training.
    pub audit: &'a [Finding],
    /// What the network must beat; none where it was not found out.
    pub baselines: Option<&'a Baselines>,
    /// What activations were stored in.
    pub precision: Precision,
}

impl RunFolder {
    /// Makes the folder: `out`, or the first free `runs/{name}-{n}`.
    ///
    /// # Errors
    /// When `out` already holds a run and `overwrite` is not given, or nothing can be written.
    pub fn create(out: Option<&Path>, name: &str, overwrite: bool) -> Result<Self> {
        let path = match out {
            Some(out) => {
                Self::refuse_old_run(out, overwrite)?;
                fs::create_dir_all(out).map_err(|error| Error::io("create", out, error))?;
                clear(out)?;
                out.to_owned()
            }
            None => first_free(Path::new("runs"), name)?,
        };
        let file = path.join("metrics.jsonl");
        let metrics = File::create(&file).map_err(|error| Error::io("create", &file, error))?;
        Ok(Self { path, metrics, observations: None, events: None })
    }

    /// Refuses a folder that already holds a run, unless it is to be replaced.
    ///
    /// # Errors
    /// When it does.
    pub fn refuse_old_run(folder: &Path, overwrite: bool) -> Result<()> {
        if overwrite || !FILES.iter().any(|name| folder.join(name).exists()) {
            return Ok(());
        }
        Err(Error::usage(format!("{} already holds a run", folder.display()))
            .with_help("give --overwrite to replace it, or another folder with --out"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes config.json, every default written out, and begins what the config asks for beside the
    /// metrics.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(&mut self, config: &Config) -> Result<()> {
        self.write_json("config.json", &json!(config))?;
        if config.log.tensorboard {
            self.events = Some(EventFile::create(&self.path, config)?);
        }
        Ok(())
    }

    fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::internal(format!("cannot write {name}: {error}")))?;
        text.push('\n');
        write_atomically(&self.path.join(name), text.as_bytes())
    }

    fn append(&mut self, record: &Value) -> Result<()> {
        let line = format!("{record}\n");
        self.metrics
            .write_all(line.as_bytes())
            .map_err(|error| Error::io("write", &self.path.join("metrics.jsonl"), error))
    }

    /// Appends a look inside the network to observations.jsonl.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn observation(&mut self, observation: &Observation) -> Result<()> {
        let path = self.path.join("observations.jsonl");
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

    /// Appends a step to metrics.jsonl.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn step(&mut self, record: &StepRecord) -> Result<()> {
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

    /// Appends an epoch to metrics.jsonl.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
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

    /// Writes model.safetensors.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn keep(&self, model: &Model) -> Result<()> {
        model.save(&self.path.join("model.safetensors"))
    }

    /// Writes summary.json, after the [model](Self::keep).
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn finish(&mut self, outcome: &Outcome, facts: &RunFacts) -> Result<Value> {
        let baselines = facts.baselines.map(|baselines| {
            let mut document = baselines.json();
            document["verdict"] = json!(baselines.verdict(&outcome.scores));
            document
        });
        let mut summary = json!({});
        for (set, scores) in &outcome.scores {
            summary[set] = scores_json(scores);
        }
        let rest = json!({
            "best_epoch": each_member(outcome.best_epoch.iter().map(|epoch| json!(epoch))),
            "epochs": outcome.epochs,
            "stop_reason": outcome.stop_reason,
            "startup_seconds": facts.startup_seconds,
            "seconds": outcome.seconds,
            "looking_seconds": outcome.looking_seconds,
            "samples_per_second": outcome.samples_per_second,
            "parameters": outcome.network.parameters(),
            "network": outcome.network.shape(),
            "members": outcome.network.members,
            "folds": facts.folds,
            "task": facts.task,
            "loss": facts.loss,
            "precision": facts.precision,
            "device": facts.device,
            "tiles": tiles_json(&outcome.tiles),
            "rows": facts.rows.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
            "data_hash": facts.data_hash,
            "audit": facts.audit,
            "baselines": baselines,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let (Some(summary), Value::Object(rest)) = (summary.as_object_mut(), rest) {
            summary.extend(rest);
        }
        self.write_json("summary.json", &summary)?;
        if let Some(events) = &mut self.events {
            events.finish(outcome)?;
        }
        Ok(summary)
    }
}

impl RunFolder {
    /// Writes analysis.json.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_analysis(&self, analysis: &Analysis) -> Result<()> {
        let mut text = json!(analysis).to_string();
        text.push('\n');
        write_atomically(&self.path.join("analysis.json"), text.as_bytes())
    }

    /// Writes report.html.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_report(&self, page: &str) -> Result<()> {
        write_atomically(&self.path.join("report.html"), page.as_bytes())
    }
}

/// Tiles by program and call.
fn tiles_json(tiles: &[ChosenTile]) -> Value {
    let mut programs = json!({});
    for chosen in tiles {
        programs[&chosen.program][&chosen.call] = json!(chosen.tile);
    }
    programs
}

/// Takes an old run out of its folder, and nothing else.
fn clear(folder: &Path) -> Result<()> {
    let mut files: Vec<PathBuf> = FILES.iter().map(|name| folder.join(name)).collect();
    let entries = fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?;
    let is_event = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(PREFIX);
    let events = entries.flatten().filter(|entry| is_event(&entry.file_name()));
    files.extend(events.map(|entry| entry.path()));
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &file, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// `runs/{name}-{n}` with the first free n, made by this call alone.
fn first_free(runs: &Path, name: &str) -> Result<PathBuf> {
    fs::create_dir_all(runs).map_err(|error| Error::io("create", runs, error))?;
    let mut n = 1_u64;
    loop {
        let path = runs.join(format!("{name}-{n}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
            Err(error) => return Err(Error::io("create", &path, error)),
        }
    }
}
