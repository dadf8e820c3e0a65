//! The files of sweeps: what users write, and what a sweep goes on from.

use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;
use wgfit::Result;
use wgfit::backend::cpu::CpuBackend;
use wgfit::config::sweep::{Choices, Search, SweepConfig};
use wgfit::sweep::{self, From, Plan, Shown, Sweep, SweepFolder, TrialRecord};
use wgfit::train::trials::TrialEpoch;

use super::ROWS;

/// Trials of a space that are made: each takes the time of a config.
const MOST_TRIALS: usize = 64;

/// What a sweep of this space goes on from was left after two epochs.
const SWEEP: &str = include_str!("sweep.json");

/// A sweep that was left, and its folder's files.
struct Left {
    /// The folder that its data is in.
    folder: TempDir,
    sweep: Sweep,
    plan: Plan,
    backend: CpuBackend,
    files: Vec<(&'static str, Vec<u8>)>,
}

const PROGRESS: &str = "state/progress.json";

/// Ends a sweep after so many epochs.
struct Epochs(usize);

impl Shown for Epochs {
    fn epoch(&mut self, _: &Sweep, _: &[(TrialEpoch, f64)], _: usize, _: usize) -> Result<()> {
        self.0 = self.0.saturating_sub(1);
        Ok(())
    }

    fn trial(&mut self, _: &Sweep, _: &TrialRecord, _: bool) -> Result<()> {
        Ok(())
    }

    fn line(&mut self, _: &str) {}

    fn advanced(&self, _: f64) {}

    fn interrupted(&self) -> bool {
        self.0 == 0
    }
}

fn left() -> MutexGuard<'static, Left> {
    static LEFT: LazyLock<Mutex<Left>> = LazyLock::new(|| Mutex::new(leave()));
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn leave() -> Left {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rows.csv"), ROWS).expect("a file");
    let config = SweepConfig::parse(SWEEP, "sweep.json", folder.path()).expect("a good sweep");
    let backend = CpuBackend::with_threads(1).expect("threads");
    let mut sweep = Sweep::new(config).expect("a good sweep");
    let plan = Plan::new(&mut sweep, &backend).expect("a plan");
    let run = folder.path().join("run");
    let own = SweepFolder::create(Some(&run), "sweep", false, &sweep.written()).expect("a folder");
    let ended = sweep::run(&mut sweep, &plan, &backend, "sweep", own, None, &mut Epochs(2));
    assert!(ended.expect("a sweep").interrupted, "the sweep came to its end");
    let read = |name: &str| fs::read(run.join(name)).expect("a file of the sweep");
    let progress: Value = serde_json::from_slice(&read(PROGRESS)).expect("JSON");
    let standing = format!("state/{}", progress["standing"].as_str().expect("a state"));
    let names = ["sweep.json", "trials.jsonl", "epochs.jsonl", "best.safetensors", PROGRESS];
    let mut files: Vec<(&'static str, Vec<u8>)> =
        names.into_iter().map(|name| (name, read(name))).collect();
    let standing: &'static str = standing.leak();
    files.push((standing, read(standing)));
    Left { folder, sweep, plan, backend, files }
}

/// A sweep as written, with all that is made of it before a device is asked.
pub(super) fn sweep(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let left = left();
    let folder = left.folder.path();
    // No file is looked for but the rows.
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return SweepConfig::parse(text, "sweep.json", folder).is_ok();
    };
    if !value.get("config").is_some_and(Value::is_object) {
        return false;
    }
    let Ok(mut config) = SweepConfig::parse(text, "sweep.json", folder) else { return false };
    let Ok(base) = config.base_config() else { return false };
    config.base = json!(base.without_paths());
    let leads_elsewhere = |key: &str| key.starts_with("data") || key.contains("init_from");
    let of_files = config.axes.iter().any(|axis| leads_elsewhere(&axis.key));
    let values = config.axes.iter().map(|axis| match &axis.choices {
        Choices::Choice(values) => values.len(),
        Choices::Range { points, ends, .. } => points.unwrap_or((ends[1] - ends[0]) as usize),
    });
    let trials = match config.search {
        Search::Grid => values.fold(1, usize::saturating_mul),
        Search::Random { trials } => trials,
    };
    // Of more than a sweep may have, it is only to say so.
    let is_refused = trials > wgfit::config::sweep::MOST_TRIALS;
    if of_files || trials > MOST_TRIALS && !is_refused {
        return false;
    }
    let trials = config.trials();
    assert!(!is_refused || trials.is_err(), "more trials than a sweep may have");
    Sweep::new(config).is_ok()
}

/// What a sweep goes on from: its progress, the trials that have ended, or the epochs so far.
pub(super) fn sweep_state(bytes: &[u8]) -> bool {
    let mut went_well = false;
    for name in [PROGRESS, "trials.jsonl", "epochs.jsonl"] {
        let mut left = left();
        let run = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(run.path().join("state")).expect("a folder");
        for (other, before) in &left.files {
            let before = if *other == name { bytes } else { before };
            fs::write(run.path().join(other), before).expect("a file");
        }
        if name != PROGRESS {
            has_length(run.path(), name, bytes.len());
        }
        let Left { sweep, plan, backend, .. } = &mut *left;
        let Ok(Some((own, from))) = From::open(run.path(), sweep) else { continue };
        let ended = sweep::run(sweep, plan, backend, "sweep", own, Some(from), &mut Epochs(8));
        went_well |= ended.is_ok();
    }
    went_well
}

/// Has the progress say so many bytes of a file of records.
fn has_length(run: &Path, name: &str, bytes: usize) {
    let path = run.join(PROGRESS);
    let text = fs::read_to_string(&path).expect("the progress");
    let mut progress: Value = serde_json::from_str(&text).expect("JSON");
    progress[name.trim_end_matches(".jsonl")] = bytes.into();
    fs::write(path, progress.to_string()).expect("a file");
}
