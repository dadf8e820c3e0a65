//! The folder of a sweep: its records, the state that it goes on from, its results.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::{EpochRecord, TrialRecord, line};
use crate::disk::{
    AppendedFile, create_folders, remove, remove_folder, remove_unfinished, write_atomically,
};
use crate::error::{Error, Result};
use crate::report::checkpoints::{differences, read_state, state_bytes};
use crate::report::tensorboard::{EventFile, PREFIX};
use crate::report::{FolderLock, RunFolder};
use crate::train::Checkpoint;
use crate::train::trials::{Leave, Place, Standing};

const SWEEP: &str = "sweep.json";
const TRIALS: &str = "trials.jsonl";
const EPOCHS: &str = "epochs.jsonl";
const STATE: &str = "state";
const EVENTS: &str = "tensorboard";
const PROGRESS: &str = "progress.json";

/// What a sweep writes into its folder, apart from `state`.
const FILES: [&str; 9] = [
    SWEEP,
    TRIALS,
    EPOCHS,
    "results.csv",
    "summary.json",
    "starts.jsonl",
    "best.json",
    "best.safetensors",
    "sweep.html",
];

/// How far a sweep is: what it goes on from after whatever ended it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// Trials at once, by group.
    pub lanes: Vec<usize>,
    /// The round, from 0.
    pub round: usize,
    /// Where the trials of the group that is under way stand; empty between two groups.
    pub places: Vec<Place>,
    /// The file of their states in `state`.
    pub standing: Option<String>,
    /// Bytes of trials.jsonl.
    trials: u64,
    /// Bytes of epochs.jsonl.
    epochs: u64,
    /// Number of the next standing.
    next: u64,
    /// The device's name.
    pub device: String,
}

/// A sweep's folder, which is this process's own.
#[derive(Debug)]
pub struct SweepFolder {
    path: PathBuf,
    trials: AppendedFile,
    epochs: AppendedFile,
    next: u64,
    last: Option<String>,
    _lock: FolderLock,
}

/// What a sweep goes on from.
#[derive(Debug)]
pub(super) struct Resumed {
    pub folder: SweepFolder,
    pub progress: Progress,
    pub standing: Option<Standing>,
    pub trials: Vec<TrialRecord>,
    pub epochs: Vec<EpochRecord>,
}

impl SweepFolder {
    /// Makes the folder: `out`, or the first free `runs/{name}-{n}`.
    ///
    /// # Errors
    /// When `out` holds a sweep or a run and is not to be replaced, another process writes into it, or
    /// nothing can be written.
    pub fn create(out: Option<&Path>, name: &str, overwrite: bool, sweep: &Value) -> Result<Self> {
        let path = match out {
            Some(out) => {
                Self::refuse_old(out, overwrite)?;
                create_folders(out).map_err(|error| Error::io("create", out, error))?;
                out.to_owned()
            }
            None => RunFolder::first_free(name)?,
        };
        let lock = FolderLock::take(&path)?;
        clear(&path)?;
        write_json(&path.join(SWEEP), sweep)?;
        Self::open(path, 0, 0, 0, lock)
    }

    fn open(path: PathBuf, trials: u64, epochs: u64, next: u64, lock: FolderLock) -> Result<Self> {
        let trials = AppendedFile::open(&path.join(TRIALS), trials)?;
        let epochs = AppendedFile::open(&path.join(EPOCHS), epochs)?;
        Ok(Self { path, trials, epochs, next, last: None, _lock: lock })
    }

    /// Refuses a folder that holds a sweep or a run, unless it is to be replaced.
    ///
    /// # Errors
    /// When it does.
    pub fn refuse_old(folder: &Path, overwrite: bool) -> Result<()> {
        if !overwrite && folder.join(SWEEP).exists() {
            return Err(Error::usage(format!("{} already holds a sweep", folder.display()))
                .with_help(
                    "give --resume to go on with it, --overwrite to replace it, or another folder \
                     with --out",
                ));
        }
        if folder.join(SWEEP).exists() { Ok(()) } else { RunFolder::refuse_old_run(folder, false) }
    }

    /// Goes on with a folder's sweep; none where it has not come as far as a first state.
    ///
    /// # Errors
    /// When another process writes into it, it holds another sweep, or it is damaged.
    pub(super) fn resume(path: &Path, sweep: &Value) -> Result<Option<Resumed>> {
        if !path.join(SWEEP).is_file() {
            return Ok(None);
        }
        let lock = FolderLock::take(path)?;
        let before: Value = read_json(&path.join(SWEEP))?;
        if let Some((key, values)) = differences(&before, sweep).into_iter().next() {
            return Err(Error::usage(format!(
                "{} holds a sweep that was begun with another `{key}`: {values}",
                path.display()
            ))
            .with_help("give the sweep as it was, or another folder with --out"));
        }
        let state = path.join(STATE);
        if !Self::has_state(path) {
            return Ok(None);
        }
        remove_unfinished(path)?;
        remove_unfinished(&state)?;
        let progress: Progress = read_json(&state.join(PROGRESS))?;
        for (name, bytes) in [(TRIALS, progress.trials), (EPOCHS, progress.epochs)] {
            let file = path.join(name);
            let found = fs::metadata(&file).map_err(|error| Error::io("read", &file, error))?;
            if found.len() < bytes {
                return Err(damaged(&file, &"it is shorter than when the sweep was left"));
            }
        }
        let standing = match &progress.standing {
            None => None,
            Some(name) => Some(Standing {
                places: progress.places.clone(),
                state: read_state(&inside(&state, name)?)?,
            }),
        };
        let mut folder =
            Self::open(path.to_owned(), progress.trials, progress.epochs, progress.next, lock)?;
        folder.last.clone_from(&progress.standing);
        let trials = read_lines(&path.join(TRIALS))?;
        let epochs = read_lines(&path.join(EPOCHS))?;
        Ok(Some(Resumed { folder, progress, standing, trials, epochs }))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.epochs.append(&line(record))
    }

    pub(super) fn trial(&mut self, record: &TrialRecord) -> Result<()> {
        self.trials.append(&line(record))
    }

    /// Writes where the sweep stands, after its records are on the disk.
    pub(super) fn keep(
        &mut self,
        lanes: &[usize],
        round: usize,
        standing: Option<&Standing>,
        device: &str,
    ) -> Result<()> {
        self.trials.settle()?;
        self.epochs.settle()?;
        let state = self.path.join(STATE);
        create_folders(&state).map_err(|error| Error::io("create", &state, error))?;
        let name = format!("standing-{:06}.safetensors", self.next);
        if let Some(standing) = standing {
            write_atomically(&state.join(&name), &state_bytes(&standing.state)?)?;
            self.next += 1;
        }
        let progress = Progress {
            lanes: lanes.to_vec(),
            round,
            places: standing.map(|standing| standing.places.clone()).unwrap_or_default(),
            standing: standing.map(|_| name.clone()),
            trials: self.trials.settled(),
            epochs: self.epochs.settled(),
            next: self.next,
            device: device.to_owned(),
        };
        write_json(&state.join(PROGRESS), &json!(progress))?;
        if let Some(before) = std::mem::replace(&mut self.last, standing.map(|_| name)) {
            remove(&state.join(before))?;
        }
        Ok(())
    }

    /// Keeps the state of a trial that is paused.
    pub(super) fn pause(&self, trial: usize, state: &Checkpoint) -> Result<()> {
        let folder = self.path.join(STATE);
        create_folders(&folder).map_err(|error| Error::io("create", &folder, error))?;
        write_atomically(&folder.join(paused(trial, state.state.epoch)), &state_bytes(state)?)
    }

    /// The state of a trial that was paused after so many epochs.
    pub(super) fn paused(&self, trial: usize, epoch: usize) -> Result<Checkpoint> {
        read_state(&self.path.join(STATE).join(paused(trial, epoch)))
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomically(&self.path.join(name), bytes)
    }

    pub(super) fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        write_json(&self.path.join(name), value)
    }

    /// The epochs on record.
    pub(super) fn epochs(&self) -> Result<Vec<EpochRecord>> {
        read_lines(&self.path.join(EPOCHS))
    }

    /// Writes an event file for TensorBoard for each trial: `tensorboard/trial-{number}/`.
    pub(super) fn write_events(
        &self,
        trials: &[TrialRecord],
        epochs: &[EpochRecord],
    ) -> Result<()> {
        clear_events(&self.path)?;
        for record in trials {
            let folder = self.path.join(EVENTS).join(format!("trial-{:04}", record.trial));
            create_folders(&folder).map_err(|error| Error::io("create", &folder, error))?;
            let own = epochs.iter().filter(|epoch| epoch.trial == record.trial);
            let by_epoch: Vec<(u64, &str, &Value)> = own
                .flat_map(|epoch| {
                    let number = epoch.epoch as u64;
                    [(number, "train", &epoch.train), (number, "validation", &epoch.validation)]
                })
                .collect();
            let failed = record.why == Leave::Diverged;
            EventFile::of_trial(&folder, &record.values, &by_epoch, &record.scores, failed)?;
        }
        Ok(())
    }

    /// Writes summary.json, from which on nothing goes on from a state, and removes the states.
    pub(super) fn finish(&mut self, summary: &Value) -> Result<()> {
        // What it sums up must be on the disk before it is.
        self.trials.settle()?;
        self.epochs.settle()?;
        self.write_json("summary.json", summary)?;
        remove_states(&self.path)
    }

    /// Whether there is a state in a folder to go on from.
    pub fn has_state(folder: &Path) -> bool {
        folder.join(STATE).join(PROGRESS).is_file()
    }

    /// Whether a folder's sweep has ended.
    pub fn has_ended(folder: &Path) -> bool {
        folder.join("summary.json").exists() && folder.join(SWEEP).exists()
    }

    /// Removes the states of a sweep that has ended, where it was killed before it did.
    ///
    /// # Errors
    /// When another process writes into the folder, or they cannot be removed.
    pub fn remove_left_states(folder: &Path) -> Result<()> {
        if !folder.join(STATE).exists() {
            return Ok(());
        }
        let _lock = FolderLock::take(folder)?;
        remove_states(folder)
    }
}

fn paused(trial: usize, epoch: usize) -> String {
    format!("trial-{trial:06}-{epoch:06}.safetensors")
}

/// A file of a folder that a file there names: no path leads out of it.
fn inside(folder: &Path, name: &str) -> Result<PathBuf> {
    let is_plain = Path::new(name).file_name().is_some_and(|own| own == name);
    if !is_plain {
        return Err(Error::usage(format!("{}: {name:?} is no name of a file", folder.display()))
            .with_help("begin again with --overwrite"));
    }
    Ok(folder.join(name))
}

fn remove_states(path: &Path) -> Result<()> {
    let state = path.join(STATE);
    if !state.is_dir() {
        return Ok(());
    }
    // That it goes on from them must be gone before they are.
    remove(&state.join(PROGRESS))?;
    remove_unfinished(&state)?;
    let entries = fs::read_dir(&state).map_err(|error| Error::io("read", &state, error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_own = name.starts_with("standing-") || name.starts_with("trial-");
        if is_own && name.ends_with(".safetensors") {
            remove(&entry.path())?;
        }
    }
    // What else is in it is not wgfit's.
    let _ = remove_folder(&state);
    Ok(())
}

/// Removes the event files of trials, and nothing else.
fn clear_events(path: &Path) -> Result<()> {
    let events = path.join(EVENTS);
    for folder in fs::read_dir(&events).into_iter().flatten().flatten() {
        if !folder.file_name().to_string_lossy().starts_with("trial-") {
            continue;
        }
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().starts_with(PREFIX) {
                remove(&file.path())?;
            }
        }
        // What else is in it is not wgfit's.
        let _ = remove_folder(&folder.path());
    }
    if events.is_dir() {
        let _ = remove_folder(&events);
    }
    Ok(())
}

fn clear(path: &Path) -> Result<()> {
    remove_unfinished(path)?;
    clear_events(path)?;
    remove_states(path)?;
    FILES.iter().try_for_each(|name| remove(&path.join(name)))
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::internal(format!("cannot write {}: {error}", path.display())))?;
    text.push('\n');
    write_atomically(path, text.as_bytes())
}

fn damaged(path: &Path, what: &dyn std::fmt::Display) -> Error {
    Error::usage(format!("{} is damaged: {what}", path.display()))
        .with_help("begin the sweep again with --overwrite")
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, &error))
}

/// The records of a file, a line each.
///
/// # Errors
/// When it cannot be read, or a line is none.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    let read = |(i, line)| -> Result<T> {
        serde_json::from_str(line)
            .map_err(|error| damaged(path, &format!("line {}: {error}", i + 1)))
    };
    text.lines().enumerate().map(read).collect()
}
