//! Faults of the disk and of devices on purpose, to see what becomes of a run: the hidden
//! `--fail-operation N[:KIND]` of `wgfit train` and `wgfit sweep`. Whatever `disk.rs` does to the disk, and what a
//! GPU is asked for, is counted here; without the option a count costs one load.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::disk::parent;

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It fails as on a full disk; half of a write is done.
    Enospc,
    /// So does every later one that takes room: the disk stays full.
    Full,
    /// It fails as on a broken disk; half of a write is done.
    Eio,
    /// The process ends before it.
    Kill,
    /// The process ends after half of it, where it is a write, else before it.
    KillHalfway,
    /// The process ends before it, and what files hold that no sync has waited for is lost.
    PowerLoss,
    /// So are names in folders: what was made is not there, what was renamed has its old name, what was
    /// removed is there again, unless a sync of the folder came after it.
    NameLoss,
    /// A device has no room for the n-th buffer.
    OutOfMemory,
    /// A device is lost when it is waited for the n-th time.
    DeviceLost,
}

const KINDS: [(&str, Kind); 9] = [
    ("enospc", Kind::Enospc),
    ("full", Kind::Full),
    ("eio", Kind::Eio),
    ("kill", Kind::Kill),
    ("kill_halfway", Kind::KillHalfway),
    ("power_loss", Kind::PowerLoss),
    ("name_loss", Kind::NameLoss),
    ("out_of_memory", Kind::OutOfMemory),
    ("device_lost", Kind::DeviceLost),
];

/// The n-th operation of a process, from 1, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailOperation {
    at: u64,
    kind: Kind,
}

impl fmt::Display for FailOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "{}:{name}", self.at)
    }
}

impl FromStr for FailOperation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (at, kind) = text.split_once(':').unwrap_or((text, "enospc"));
        let at = at.parse().map_err(|_| format!("{at:?} is no number"))?;
        let known = KINDS.iter().find(|(name, _)| *name == kind);
        let (_, kind) = known.ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            format!("{kind:?} is none of {}", names.join(", "))
        })?;
        Ok(Self { at, kind: *kind })
    }
}

static ARMED: OnceLock<FailOperation> = OnceLock::new();
static DONE: AtomicU64 = AtomicU64::new(0);
/// Files of which something has not been synced, with the bytes that have been.
static UNSYNCED: Mutex<BTreeMap<PathBuf, u64>> = Mutex::new(BTreeMap::new());
/// Names that no sync of their folder has waited for, in the order of what was done to them, with what
/// each was before. Kept for [`Kind::NameLoss`] alone.
static UNSYNCED_NAMES: Mutex<Vec<(PathBuf, Before)>> = Mutex::new(Vec::new());

/// What a name was the name of.
enum Before {
    Nothing,
    File(Vec<u8>),
    Folder,
}

impl Before {
    fn of(path: &Path) -> Self {
        match std::fs::read(path) {
            Ok(bytes) => Self::File(bytes),
            Err(_) if path.is_dir() => Self::Folder,
            Err(_) => Self::Nothing,
        }
    }

    fn restore(&self, path: &Path) {
        let _ = match self {
            Self::Nothing if path.is_dir() => std::fs::remove_dir_all(path),
            Self::Nothing => std::fs::remove_file(path),
            Self::File(bytes) => std::fs::write(path, bytes),
            Self::Folder => std::fs::create_dir_all(path),
        };
    }
}

/// What is done to the disk, or asked of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A file or folder is made or opened.
    Create,
    /// Room is reserved.
    Allocate,
    /// Bytes are written.
    Write,
    /// What was written is waited for, or that a name in a folder is.
    Sync,
    /// A file takes its own name.
    Rename,
    /// A file or folder is removed.
    Remove,
    /// A file is cut to a length, or its permissions are set.
    Change,
    /// A device makes a buffer.
    DeviceBuffer,
    /// A device is waited for.
    DeviceWait,
}

impl Operation {
    /// Whether it is one of those that a kind of fault counts.
    fn is_counted(self, kind: Kind) -> bool {
        match self {
            Self::DeviceBuffer => kind == Kind::OutOfMemory,
            Self::DeviceWait => kind == Kind::DeviceLost,
            _ => !matches!(kind, Kind::OutOfMemory | Kind::DeviceLost),
        }
    }
}

/// Has the n-th operation from now on fail; the first call in a process holds.
pub fn arm(fault: FailOperation) {
    let _ = ARMED.set(fault);
}

/// Whether a device is to fail now, at what it is asked for.
pub(crate) fn strikes_device(operation: Operation, what: &str) -> bool {
    ARMED.get().is_some_and(|armed| fault_of(*armed, operation, Path::new(what)).is_some())
}

/// The kind of the fault that this operation is to have.
fn fault_of(armed: FailOperation, operation: Operation, path: &Path) -> Option<Kind> {
    if !operation.is_counted(armed.kind) {
        return None;
    }
    let done = DONE.fetch_add(1, Ordering::Relaxed) + 1;
    let takes_room = matches!(
        operation,
        Operation::Create | Operation::Allocate | Operation::Write | Operation::Sync
    );
    let is_it = match armed.kind {
        Kind::Full => done >= armed.at && takes_room,
        _ => done == armed.at,
    };
    if !is_it {
        return None;
    }
    tell(&format!("{armed}: {operation:?} {}", path.display()));
    match armed.kind {
        Kind::Kill => std::process::abort(),
        Kind::KillHalfway if operation != Operation::Write => std::process::abort(),
        Kind::PowerLoss | Kind::NameLoss => lose_power(),
        kind => Some(kind),
    }
}

/// Says that the fault has struck.
fn tell(what: &str) {
    let _ = writeln!(io::stderr(), "warning: --fail-operation {what} fails on purpose");
}

fn error_of(kind: Kind) -> io::Error {
    // Numbers that Linux, macOS and Windows' own C library agree on.
    io::Error::from_raw_os_error(if kind == Kind::Eio { 5 } else { 28 })
}

fn unsynced() -> std::sync::MutexGuard<'static, BTreeMap<PathBuf, u64>> {
    UNSYNCED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unsynced_names() -> std::sync::MutexGuard<'static, Vec<(PathBuf, Before)>> {
    UNSYNCED_NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Temporary files have absolute names, whatever their folder is called.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn lose_power() -> ! {
    for (path, synced) in &*unsynced() {
        if let Ok(file) = OpenOptions::new().write(true).open(path) {
            let _ = file.set_len(*synced);
        }
    }
    for (path, before) in unsynced_names().iter().rev() {
        before.restore(path);
    }
    std::process::abort()
}

/// Does something to the names of paths, which is to be undone unless a sync follows.
fn noting_names<T>(paths: &[&Path], work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if !ARMED.get().is_some_and(|armed| armed.kind == Kind::NameLoss) {
        return work();
    }
    let before: Vec<Before> = paths.iter().map(|path| Before::of(path)).collect();
    let done = work()?;
    let is_news = |path: &Path, before: &Before| match before {
        Before::Nothing => path.exists(),
        Before::Folder => !path.is_dir(),
        Before::File(_) => true,
    };
    let news = paths.iter().zip(before).filter(|(path, before)| is_news(path, before));
    unsynced_names().extend(news.map(|(path, before)| (absolute(path), before)));
    Ok(done)
}

/// Does what is no write, or fails.
pub(crate) fn pass<T>(
    operation: Operation,
    path: &Path,
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let Some(armed) = ARMED.get() else { return work() };
    if let Some(kind) = fault_of(*armed, operation, path) {
        return Err(error_of(kind));
    }
    let done = match operation {
        // Folders above it may be made with it.
        Operation::Create => {
            let made: Vec<&Path> = path.ancestors().filter(|path| !path.exists()).collect();
            noting_names(&made, work)?
        }
        Operation::Remove => noting_names(&[path], work)?,
        _ => work()?,
    };
    if matches!(operation, Operation::Sync | Operation::Remove) {
        unsynced().remove(path);
    }
    if operation == Operation::Sync && path.is_dir() {
        let folder = absolute(path);
        unsynced_names().retain(|(name, _)| parent(name) != folder);
    }
    Ok(done)
}

/// Renames, or fails.
pub(crate) fn pass_rename<T>(
    from: &Path,
    to: &Path,
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let done = pass(Operation::Rename, to, || noting_names(&[from, to], work))?;
    if ARMED.get().is_some() {
        let mut unsynced = unsynced();
        unsynced.remove(to);
        if let Some(synced) = unsynced.remove(from) {
            unsynced.insert(to.to_owned(), synced);
        }
    }
    Ok(done)
}

/// Writes to a file, or half of it and fails.
pub(crate) fn pass_write(path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
    let Some(armed) = ARMED.get() else { return file.write(bytes) };
    let place = file.stream_position()?;
    if let Some(kind) = fault_of(*armed, Operation::Write, path) {
        let _ = file.write_all(&bytes[..bytes.len() / 2]);
        match kind {
            Kind::KillHalfway => std::process::abort(),
            kind => return Err(error_of(kind)),
        }
    }
    unsynced().entry(path.to_owned()).or_insert(place);
    file.write(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_as_it_is_written() {
        for (name, kind) in KINDS {
            let text = format!("7:{name}");
            let fault: FailOperation = text.parse().expect("a fault");
            assert_eq!((fault, fault.to_string()), (FailOperation { at: 7, kind }, text));
        }
        assert_eq!("3".parse(), Ok(FailOperation { at: 3, kind: Kind::Enospc }));
        assert!("x:eio".parse::<FailOperation>().is_err());
        let refused = "1:fire".parse::<FailOperation>().expect_err("no kind");
        assert!(refused.contains("kill_halfway"), "{refused}");
    }
}
