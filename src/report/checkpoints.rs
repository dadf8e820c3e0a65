//! The checkpoints of a run folder: `checkpoint/{epochs}.safetensors`. A file holds the arenas as
//! tensors and all else as JSON in its metadata, with a checksum (CRC-32C) of both. It is written
//! whole or not at all, and only then are older ones removed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::logs::LogsEnd;
use crate::disk::{create_folders, remove, remove_folder, remove_unfinished, write_atomically};
use crate::error::{Error, Result, short};
use crate::train::Checkpoint;
use crate::train::checkpoint::TrainingState;

/// The folder in a run folder.
const FOLDER: &str = "checkpoint";

const FORMAT_VERSION: u32 = 1;

/// Keys of the metadata.
const WRITTEN: &str = "wgfit_checkpoint";
const CHECKSUM: &str = "checksum";

/// What a training must be of for a checkpoint to be one of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunIdentity {
    /// The config, every default written out, without paths.
    pub config: Value,
    /// Hash of the encoded data.
    pub data_hash: String,
    /// What it ran on.
    pub device: String,
    /// The version of wgfit.
    pub version: String,
}

/// A checkpoint with what it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCheckpoint {
    /// What it is of.
    pub identity: RunIdentity,
    /// Where the run's logs ended.
    pub(super) logs: LogsEnd,
    /// The state.
    pub checkpoint: Checkpoint,
}

/// The checkpoints of a run folder, as far as they can be read.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The last one that is whole.
    pub newest: Option<RunCheckpoint>,
    /// Newer ones that are not, and why.
    pub damaged: Vec<(PathBuf, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format_version: u32,
    identity: RunIdentity,
    logs: LogsEnd,
    state: TrainingState,
}

fn bytes_of(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(values));
    }
    Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// CRC-32C over the text, and the name and the bytes of each tensor.
fn checksum<'a>(text: &str, tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let parts = tensors.flat_map(|(name, bytes)| [name.as_bytes(), bytes]);
    let sum = std::iter::once(text.as_bytes()).chain(parts).fold(0, crc32c::crc32c_append);
    format!("{sum:08x}")
}

impl RunCheckpoint {
    /// Neighbouring rows that stay together when the training rows are shuffled.
    pub fn chunk_rows(&self) -> Option<usize> {
        let rows = self.identity.config.pointer("/data/chunk_rows")?.as_u64()?;
        usize::try_from(rows).ok().filter(|rows| *rows > 0)
    }

    /// What the bytes of a file hold, or why they hold none.
    fn of_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        let damaged = |error: &dyn std::fmt::Display| format!("it is damaged ({error})");
        let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
        let of_header = |key: &str| {
            let value = header.metadata().as_ref().and_then(|map| map.get(key));
            value.ok_or_else(|| damaged(&format!("no {key} in it")))
        };
        let (text, sum) = (of_header(WRITTEN)?, of_header(CHECKSUM)?);
        let mut tensors = file.tensors();
        tensors.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let parts = tensors.iter().map(|(name, view)| (name.as_str(), view.data()));
        if checksum(text, parts) != *sum {
            return Err(damaged(&"its checksum is not that of its contents"));
        }
        let version = serde_json::from_str::<Value>(text).map_err(|error| damaged(&error))?;
        if version["format_version"].as_u64().is_some_and(|v| v > u64::from(FORMAT_VERSION)) {
            return Err("it was written by a newer version of wgfit".to_owned());
        }
        let written: Written = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        let mut arenas = BTreeMap::new();
        for (name, view) in tensors {
            if view.dtype() != Dtype::F32 {
                return Err(damaged(&format!("{name} is of type {:?}", view.dtype())));
            }
            let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            arenas.insert(name, values.collect());
        }
        let checkpoint = Checkpoint { state: written.state, arenas };
        Ok(Self { identity: written.identity, logs: written.logs, checkpoint })
    }
}

/// The bytes of a checkpoint's file.
fn to_bytes(checkpoint: &Checkpoint, identity: &RunIdentity, logs: &LogsEnd) -> Result<Vec<u8>> {
    let fail = |error: &dyn std::fmt::Display| {
        Error::internal(format!("cannot write a checkpoint: {error}"))
    };
    let written = Written {
        format_version: FORMAT_VERSION,
        identity: identity.clone(),
        logs: logs.clone(),
        state: checkpoint.state.clone(),
    };
    let text = serde_json::to_string(&written).map_err(|error| fail(&error))?;
    let arenas = checkpoint.arenas.iter().map(|(name, values)| (name.as_str(), bytes_of(values)));
    let arenas: BTreeMap<&str, Cow<[u8]>> = arenas.collect();
    let sum = checksum(&text, arenas.iter().map(|(name, bytes)| (*name, bytes.as_ref())));
    let view = |bytes| TensorView::new(Dtype::F32, vec![<[u8]>::len(bytes) / 4], bytes);
    let views = arenas.iter().map(|(name, bytes)| Ok((*name, view(bytes)?)));
    let views = views.collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
    let header = HashMap::from([(WRITTEN.to_owned(), text), (CHECKSUM.to_owned(), sum)]);
    views
        .and_then(|views| safetensors::serialize(views, Some(header)))
        .map_err(|error| fail(&error))
}

/// A state that is no run's, as the bytes of a file.
pub(crate) fn state_bytes(checkpoint: &Checkpoint) -> Result<Vec<u8>> {
    let (config, data_hash, device) = (Value::Null, String::new(), String::new());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let identity = RunIdentity { config, data_hash, device, version };
    to_bytes(checkpoint, &identity, &LogsEnd::NONE)
}

/// Reads such a file.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub(crate) fn read_state(path: &Path) -> Result<Checkpoint> {
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let read = RunCheckpoint::of_bytes(&bytes);
    read.map(|read| read.checkpoint).map_err(|problem| {
        Error::usage(format!("{}: {problem}", path.display()))
            .with_help("begin again with --overwrite")
    })
}

/// Writes a checkpoint into a run folder, beside those that are there.
pub(super) fn write(
    run: &Path,
    checkpoint: &Checkpoint,
    identity: &RunIdentity,
    logs: &LogsEnd,
) -> Result<()> {
    let folder = run.join(FOLDER);
    create_folders(&folder).map_err(|error| Error::io("create", &folder, error))?;
    let file = folder.join(format!("{}.safetensors", checkpoint.state.epoch));
    write_atomically(&file, &to_bytes(checkpoint, identity, logs)?)
}

/// Removes all checkpoints of a run folder but the last `keep`.
pub(super) fn thin(run: &Path, keep: usize) -> Result<()> {
    let older = numbered(&run.join(FOLDER)).into_iter().skip(keep.max(1));
    older.into_iter().try_for_each(|(_, path)| remove(&path))
}

/// Whether there is any in a run folder.
pub(super) fn has_any(run: &Path) -> bool {
    !numbered(&run.join(FOLDER)).is_empty()
}

/// Files of checkpoints in their folder, the newest first.
fn numbered(folder: &Path) -> Vec<(usize, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: &Path| {
        let is_tensors = path.extension().is_some_and(|extension| extension == "safetensors");
        path.file_stem().filter(|_| is_tensors)?.to_str()?.parse().ok()
    };
    let mut found: Vec<(usize, PathBuf)> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// The newest checkpoint of a run folder that is whole.
pub fn find(run: &Path) -> Found {
    let mut found = Found::default();
    for (epoch, path) in numbered(&run.join(FOLDER)) {
        let read = fs::read(&path).map_err(|error| error.to_string());
        let read = read.and_then(|bytes| RunCheckpoint::of_bytes(&bytes)).and_then(|read| {
            if read.checkpoint.state.epoch != epoch {
                return Err(format!("it is of epoch {}", read.checkpoint.state.epoch));
            }
            if !read.logs.is_reached(run) {
                return Err(
                    "metrics.jsonl, or another log of the run, is shorter than it was then"
                        .to_owned(),
                );
            }
            Ok(read)
        });
        match read {
            Ok(read) => {
                found.newest = Some(read);
                return found;
            }
            Err(problem) => found.damaged.push((path, problem)),
        }
    }
    found
}

/// Removes the checkpoints of a run folder, or those after an epoch, and what was not finished.
pub(super) fn clear(run: &Path, after: Option<usize>) -> Result<()> {
    let folder = run.join(FOLDER);
    if !folder.is_dir() {
        return Ok(());
    }
    remove_unfinished(&folder)?;
    for (epoch, path) in numbered(&folder) {
        if after.is_none_or(|after| epoch > after) {
            remove(&path)?;
        }
    }
    if after.is_none() {
        // What else is in it is not wgfit's.
        let _ = remove_folder(&folder);
    }
    Ok(())
}

/// The keys that differ between two configs, as dotted paths with both values.
pub fn differences(before: &Value, now: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    compare("", before, now, &mut found);
    found
}

fn compare(path: &str, before: &Value, now: &Value, found: &mut Vec<(String, String)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, now) {
        (Value::Object(old), Value::Object(new)) => {
            let others = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(others) {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                compare(&below(key), &of(old), &of(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&below(&at.to_string()), old, new, found);
            }
        }
        _ if before == now => {}
        _ => {
            let [before, now] = [before, now].map(|value| short(&value.to_string()));
            found.push((path.to_owned(), format!("{before} before, {now} now")));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::program::MemberState;
    use crate::train::StoppingState;

    fn checkpoint(epoch: usize) -> Checkpoint {
        let state = TrainingState {
            epoch,
            within: None,
            stop_reason: None,
            seconds: 0.1,
            looking_seconds: 0.0,
            checkpoint_seconds: 0.2,
            samples: 90.0,
            states: vec![MemberState::START],
            coefficients: vec![[0.3, 1.0, 1.0, 1.0]],
            best_epoch: vec![1],
            early_stopping: vec![StoppingState { best: f64::INFINITY, best_epoch: None, wait: 0 }],
            plateaus: Vec::new(),
            loss_scales: Vec::new(),
            tiles: Vec::new(),
            restarts: 2,
        };
        let arenas = [("moment0", vec![0.5, -0.0]), ("parameters", vec![1.0, f32::MIN_POSITIVE])];
        Checkpoint { state, arenas: arenas.map(|(name, arena)| (name.to_owned(), arena)).into() }
    }

    /// Its file, and a run folder whose logs reach as far as it says.
    fn written(epoch: usize) -> (RunIdentity, LogsEnd, Vec<u8>) {
        let identity = RunIdentity {
            config: json!({ "seed": 1, "data": { "chunk_rows": 9 } }),
            data_hash: "ab".to_owned(),
            device: "a device".to_owned(),
            version: "0".to_owned(),
        };
        let logs = json!({ "metrics": 3, "observations": null, "events": null });
        let logs: LogsEnd = serde_json::from_value(logs).expect("where logs end");
        let bytes = to_bytes(&checkpoint(epoch), &identity, &logs).expect("a file");
        (identity, logs, bytes)
    }

    /// Whatever byte of a file is changed, and wherever it is cut: it is refused, or holds the same.
    #[test]
    fn a_file_holds_what_was_written_or_nothing() {
        let (identity, logs, bytes) = written(4);
        let whole = RunCheckpoint { identity, logs, checkpoint: checkpoint(4) };
        assert_eq!(whole.chunk_rows(), Some(9));
        assert_eq!(RunCheckpoint::of_bytes(&bytes), Ok(whole.clone()));
        let mut refused = 0;
        for at in 0..bytes.len() {
            for flipped in [1, 0x20, 0x80] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flipped;
                match RunCheckpoint::of_bytes(&bytes) {
                    Ok(read) => assert_eq!(read, whole, "byte {at}"),
                    Err(_) => refused += 1,
                }
            }
            assert!(RunCheckpoint::of_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(refused > bytes.len() * 2, "{refused} of {}", bytes.len() * 3);
    }

    #[test]
    fn the_last_are_kept_and_the_newest_that_is_whole_is_found() -> Result<()> {
        let run = tempfile::tempdir().expect("a folder");
        let run = run.path();
        fs::write(run.join("metrics.jsonl"), "...").expect("a log");
        let (identity, logs, _) = written(1);
        let names = || -> Vec<usize> {
            numbered(&run.join(FOLDER)).into_iter().map(|(epoch, _)| epoch).collect()
        };
        for epoch in [8, 9, 10, 11] {
            write(run, &checkpoint(epoch), &identity, &logs)?;
            thin(run, 3)?;
        }
        assert_eq!(names(), [11, 10, 9]);
        let folder = run.join(FOLDER);
        fs::write(folder.join("11.safetensors"), "no").expect("a file");
        fs::rename(folder.join("9.safetensors"), folder.join("12.safetensors")).expect("a file");
        fs::write(folder.join("notes.txt"), "a user's").expect("a file");
        let found = find(run);
        assert_eq!(found.newest.map(|newest| newest.checkpoint.state.epoch), Some(10));
        assert_eq!(found.damaged.len(), 2, "{:?}", found.damaged);
        // Else they would be taken for newer than what follows.
        clear(run, Some(10))?;
        assert_eq!(names(), [10]);
        fs::write(run.join("metrics.jsonl"), "..").expect("a log");
        assert!(find(run).newest.is_none());
        clear(run, None)?;
        assert!(names().is_empty() && folder.join("notes.txt").exists());
        Ok(())
    }

    #[test]
    fn what_differs_is_named_by_its_path() {
        let before = json!({ "a": { "b": [1, { "c": 2 }] }, "d": null, "e": 1 });
        let now = json!({ "a": { "b": [1, { "c": 3 }] }, "d": [1], "f": 0 });
        let found = differences(&before, &now);
        let told: Vec<String> = found.iter().map(|(key, how)| format!("{key}: {how}")).collect();
        assert_eq!(
            told,
            [
                "a.b.1.c: 2 before, 3 now",
                "d: null before, [1] now",
                "e: 1 before, null now",
                "f: null before, 0 now"
            ]
        );
        assert!(differences(&before, &before).is_empty());
    }
}
