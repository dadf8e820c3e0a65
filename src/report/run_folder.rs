//! The run folder: config.json, metrics.jsonl, observations.jsonl, summary.json, model.safetensors,
//! analysis.json, report.html, checkpoints, and event files for TensorBoard.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::checkpoints::{self, RunCheckpoint, RunIdentity};
use super::lock::FolderLock;
use super::logs::Logs;
use super::tensorboard::PREFIX;
use super::{each_member, scores_json};
use crate::analysis::Analysis;
use crate::audit::Finding;
use crate::backend::{ChosenTile, DeviceDescription};
use crate::baseline::Baselines;
use crate::config::Config;
use crate::disk::{create_folder, create_folders, remove, remove_unfinished, write_atomically};
use crate::error::{Error, Result, one_line};
use crate::model::Model;
use crate::program::Precision;
use crate::train::observation::Observation;
use crate::train::{Checkpoint, EpochRecord, Outcome, RestartRecord, StepRecord};

/// Where runs are made that have no folder of their own.
const RUNS: &str = "runs";

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
    logs: Logs,
    /// What the user has yet to be told.
    warnings: Vec<String>,
    _lock: FolderLock,
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
    /// Makes the folder: `out`, or the first free `runs/{name}-{n}`. The lock is that of `out`, where
    /// it was taken before.
    ///
    /// # Errors
    /// When `out` already holds a run and `overwrite` is not given, another process writes into it, or
    /// nothing can be written.
    pub fn create(
        out: Option<&Path>,
        name: &str,
        overwrite: bool,
        lock: Option<FolderLock>,
    ) -> Result<Self> {
        let path = match out {
            Some(out) => {
                Self::refuse_old_run(out, overwrite)?;
                create_folders(out).map_err(|error| Error::io("create", out, error))?;
                out.to_owned()
            }
            None => Self::first_free(name)?,
        };
        let lock = lock.map_or_else(|| FolderLock::take(&path), Ok)?;
        clear(&path)?;
        let logs = Logs::create(&path)?;
        Ok(Self { path, logs, warnings: Vec::new(), _lock: lock })
    }

    /// Makes `runs/{name}-{n}`, with the first free n.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn first_free(name: &str) -> Result<PathBuf> {
        first_free(Path::new(RUNS), name)
    }

    /// Goes on with the run of a folder where a checkpoint left it: what was logged since is gone, and
    /// so is what told how it had ended.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn resume(
        path: &Path,
        from: &RunCheckpoint,
        config: &Config,
        lock: FolderLock,
    ) -> Result<Self> {
        remove_unfinished(path)?;
        checkpoints::clear(path, Some(from.checkpoint.state.epoch))?;
        for name in ["summary.json", "analysis.json", "report.html"] {
            remove(&path.join(name))?;
        }
        let logs = Logs::resume(path, &from.logs, config)?;
        let folder = Self { path: path.to_owned(), logs, warnings: Vec::new(), _lock: lock };
        folder.write_config(config)?;
        Ok(folder)
    }

    /// The run of that name that was begun last, where there is one: the largest n of
    /// `runs/{name}-{n}`.
    pub fn last(name: &str) -> Option<PathBuf> {
        let number = |path: &Path| {
            let own = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
            own.parse::<u64>().ok()
        };
        let entries = fs::read_dir(RUNS).into_iter().flatten().flatten();
        let runs = entries.map(|entry| entry.path()).filter_map(|p| Some((number(&p)?, p)));
        runs.max().map(|(_, path)| path)
    }

    /// Whether the folder holds what is written when a run has ended.
    pub fn has_ended(folder: &Path) -> bool {
        let ends = ["summary.json", "model.safetensors", "report.html"];
        ends.iter().all(|name| folder.join(name).exists())
    }

    /// summary.json of a run that has ended.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_summary(folder: &Path) -> Result<Value> {
        let path = folder.join("summary.json");
        let text = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        serde_json::from_slice(&text).map_err(|error| Error::io("read", &path, error.into()))
    }

    /// Whether the folder holds a result of a run, whole or not.
    pub fn has_results(folder: &Path) -> bool {
        ["summary.json", "model.safetensors"].iter().any(|name| folder.join(name).exists())
    }

    /// Whether the folder holds a checkpoint, whole or not.
    pub fn has_checkpoint(folder: &Path) -> bool {
        checkpoints::has_any(folder)
    }

    /// Refuses a folder that already holds a run, unless it is to be replaced.
    ///
    /// # Errors
    /// When it does.
    pub fn refuse_old_run(folder: &Path, overwrite: bool) -> Result<()> {
        if folder.join("sweep.json").exists() {
            return Err(Error::usage(format!("{} holds a sweep", folder.display()))
                .with_help("give another folder with --out"));
        }
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

    /// Writes config.json, every default written out.
    ///
    /// # Errors
    /// When the folder cannot be written.
    fn write_config(&self, config: &Config) -> Result<()> {
        self.write_json("config.json", &json!(config))
    }

    /// Writes config.json, and begins what the config asks for beside the metrics.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(&mut self, config: &Config) -> Result<()> {
        self.write_config(config)?;
        if config.log.tensorboard { self.logs.begin_events(config) } else { Ok(()) }
    }

    /// Writes a checkpoint, after what is on record so far; of those in the folder the last `keep`
    /// stay. One that cannot be written is a warning: those before it are still there.
    ///
    /// # Errors
    /// When what is on record in metrics.jsonl has not reached the disk: then no later checkpoint could
    /// rely on it either.
    pub fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        identity: &RunIdentity,
        keep: usize,
    ) -> Result<()> {
        let logs = self.logs.end()?;
        let written = checkpoints::write(&self.path, checkpoint, identity, &logs);
        let last = "the last one before it stays, and the next one is tried";
        match written.map_err(|error| (error, last)).and_then(|()| {
            let thinned = checkpoints::thin(&self.path, keep);
            thinned.map_err(|error| (error, "older checkpoints stay, and take room"))
        }) {
            Ok(()) => {}
            Err((error, what)) => self.warnings.push(format!("{}: {what}", one_line(&error))),
        }
        Ok(())
    }

    /// What could not be written, and is no error, since this was asked last.
    pub fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = self.logs.take_warnings();
        warnings.append(&mut self.warnings);
        warnings
    }

    fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::internal(format!("cannot write {name}: {error}")))?;
        text.push('\n');
        write_atomically(&self.path.join(name), text.as_bytes())
    }

    /// Appends a look inside the network to observations.jsonl; a file that cannot be written is a warning.
    pub fn observation(&mut self, observation: &Observation) {
        self.logs.observation(observation);
    }

    /// Appends a step to metrics.jsonl.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.logs.step(record)
    }

    /// Appends an epoch to metrics.jsonl.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.logs.epoch(record)
    }

    /// Appends a way back from where training diverged to metrics.jsonl.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn restarted(&mut self, record: &RestartRecord) -> Result<()> {
        self.logs.restarted(record)
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
        for (set, scores) in &outcome.ensemble {
            summary["ensemble"][set] = scores_json(std::slice::from_ref(scores));
        }
        let rest = json!({
            "best_epoch": each_member(outcome.best_epoch.iter().map(|epoch| json!(epoch))),
            "epochs": outcome.epochs,
            "stop_reason": outcome.stop_reason,
            "restarts": outcome.restarts,
            "device_losses": outcome.device_losses,
            "startup_seconds": facts.startup_seconds,
            "seconds": outcome.seconds,
            "looking_seconds": outcome.looking_seconds,
            "checkpoint_seconds": outcome.checkpoint_seconds,
            "samples_per_second": outcome.samples_per_second,
            "parameters": outcome.network.parameters(),
            "network": outcome.network.shape(),
            "members": outcome.network.members,
            "heads": outcome.network.heads,
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
        self.logs.finish(outcome);
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
    remove_unfinished(folder)?;
    checkpoints::clear(folder, None)?;
    let mut files: Vec<PathBuf> = FILES.iter().map(|name| folder.join(name)).collect();
    let entries = fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?;
    let is_event = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(PREFIX);
    let events = entries.flatten().filter(|entry| is_event(&entry.file_name()));
    files.extend(events.map(|entry| entry.path()));
    files.iter().try_for_each(|file| remove(file))
}

/// `runs/{name}-{n}` with the first free n, made by this call alone.
fn first_free(runs: &Path, name: &str) -> Result<PathBuf> {
    create_folders(runs).map_err(|error| Error::io("create", runs, error))?;
    let mut n = 1_u64;
    loop {
        let path = runs.join(format!("{name}-{n}"));
        match create_folder(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
            Err(error) => return Err(Error::io("create", &path, error)),
        }
    }
}
