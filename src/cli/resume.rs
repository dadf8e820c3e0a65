//! Where `wgfit train` writes, and from where it goes on with `--resume`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::backend::DeviceDescription;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::report::checkpoints::{self, RunCheckpoint, RunIdentity};
use crate::report::{FolderLock, Progress, RunFolder};

/// The only key that may change, and only grow.
const EPOCHS: &str = "training.epochs";

/// Where a run is written.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder; none is the first free one in `runs`.
    pub folder: Option<PathBuf>,
    /// Whether what is in the folder may be replaced.
    pub replaces: bool,
    /// The folder's lock, where it was there before.
    pub lock: Option<FolderLock>,
    /// What training goes on from.
    pub from: Option<RunCheckpoint>,
}

impl Place {
    /// A new run's, in a folder that holds none or whose run is to be replaced.
    ///
    /// # Errors
    /// A folder that holds a run, or that another process writes into.
    pub(super) fn of_new_run(out: Option<&Path>, replaces: bool) -> Result<Self> {
        let folder = out.map(Path::to_owned);
        let mut place = Self { folder, replaces, lock: None, from: None };
        if let Some(folder) = &place.folder {
            RunFolder::refuse_old_run(folder, replaces)?;
            // Before anything is worked out in vain.
            if folder.is_dir() {
                place.lock = Some(FolderLock::take(folder)?);
            }
        }
        Ok(place)
    }

    /// That of a run which goes on from its last checkpoint, or begins where there is none: in `out`,
    /// or in the last folder of that name in `runs`.
    ///
    /// # Errors
    /// A folder that another process writes into, checkpoints of which none can be read, or a run that
    /// has ended without any.
    pub(super) fn of_resumed_run(out: Option<&Path>, name: &str, shows: &Progress) -> Result<Self> {
        let folder = out.map(Path::to_owned).or_else(|| RunFolder::last(name));
        let mut place = Self { folder, replaces: true, lock: None, from: None };
        let Some(folder) = place.folder.as_deref().filter(|folder| folder.is_dir()) else {
            return Ok(place);
        };
        place.lock = Some(FolderLock::take(folder)?);
        let found = checkpoints::find(folder);
        for (file, problem) in &found.damaged {
            shows.line(&format!("warning: {} cannot be used: {problem}", file.display()));
        }
        if found.newest.is_none() {
            let problem = match found.damaged.as_slice() {
                [] if !RunFolder::has_results(folder) => return Ok(place),
                [] => "holds a run without a checkpoint to go on from".to_owned(),
                [(file, problem)] => {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    format!("has no checkpoint that can be used: {name}: {problem}")
                }
                all => format!("has no checkpoint that can be used, of {}", all.len()),
            };
            return Err(Error::usage(format!("{} {problem}", folder.display()))
                .with_help("give --overwrite to begin anew, or another folder with --out"));
        }
        place.from = found.newest;
        Ok(place)
    }

    /// The folder and the checkpoint, of a run that goes on.
    pub(super) fn resumed(&self) -> Option<(&Path, &RunCheckpoint)> {
        self.folder.as_deref().zip(self.from.as_ref())
    }

    /// Makes the run's folder, or goes on in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn open(&mut self, name: &str, config: &Config) -> Result<RunFolder> {
        match (self.lock.take(), self.resumed()) {
            (Some(lock), Some((folder, from))) => RunFolder::resume(folder, from, config, lock),
            (lock, _) => {
                let out = self.folder.as_deref();
                let mut folder = RunFolder::create(out, name, self.replaces, lock)?;
                folder.begin(config)?;
                Ok(folder)
            }
        }
    }
}

/// What a training is of.
pub(super) fn identity(
    config: &Config,
    data_hash: &str,
    device: &DeviceDescription,
) -> RunIdentity {
    RunIdentity {
        config: json!(config.without_paths()),
        data_hash: data_hash.to_owned(),
        device: device_name(device),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What a run says that it was trained by.
pub(super) fn device_name(device: &DeviceDescription) -> String {
    format!("{} ({})", device.name, device.backend)
}

/// Refuses to go on with a run by another config, or on other data.
///
/// # Errors
/// When something differs that the training hangs on, each key by name.
pub(super) fn refuse_changes(
    folder: &Path,
    before: &RunIdentity,
    config: &Config,
    data_hash: &str,
) -> Result<()> {
    let epochs = before.config.pointer("/training/epochs").and_then(serde_json::Value::as_u64);
    let grows = epochs.is_some_and(|epochs| config.training.epochs as u64 >= epochs);
    let mut changes: Vec<String> =
        checkpoints::differences(&before.config, &json!(config.without_paths()))
            .into_iter()
            .filter(|(key, _)| key != EPOCHS || !grows)
            .map(|(key, how)| format!("\n  {key}: {how}"))
            .collect();
    if before.data_hash != data_hash {
        changes.push(format!(
            "\n  the data of {}: its hash was {}, and is {data_hash} now",
            config.data.train, before.data_hash
        ));
    }
    if changes.is_empty() {
        return Ok(());
    }
    let problem = format!(
        "the run in {} cannot go on, as it was begun with something else:{}",
        folder.display(),
        changes.concat()
    );
    Err(Error::usage(problem).with_help(format!(
        "resume it by {} and the data that it was begun with, of which {EPOCHS} alone may grow; or \
         train into another folder with --out",
        folder.join("config.json").display()
    )))
}

/// Tells of what may change the last bits of what follows.
pub(super) fn show_what_may_differ(before: &RunIdentity, now: &RunIdentity, shows: &Progress) {
    for (what, before, now) in
        [("", &before.device, &now.device), ("wgfit ", &before.version, &now.version)]
    {
        if before != now {
            shows.line(&format!(
                "warning: this run was trained so far by {what}{before}, and goes on by {what}{now}: \
                 it will not be bit for bit what it would have been without the pause"
            ));
        }
    }
}
