//! A run folder belongs to one process at a time.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::disk::DiskFile;
use crate::error::{Error, Result};

/// The file that a process holds locked while it writes into a run folder. It stays: whoever removed
/// it could not know that no other process has just opened it.
const NAME: &str = ".lock";

/// Longest text of a holder that is told.
const LONGEST: u64 = 200;

/// A folder that is this process's own until this is dropped, or the process ends, however it does.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes a folder that is there.
    ///
    /// # Errors
    /// When another process holds it, or the file cannot be written.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let fail = |source| Error::io("lock", &path, source);
        let mut file = DiskFile::open(&path).map_err(fail)?;
        match file.as_file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refusal(folder, file.into_file())),
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let since = chrono::DateTime::from(std::time::SystemTime::now());
        let since: chrono::DateTime<chrono::Utc> = since;
        let holder = format!(
            "process {}, since {} UTC\n",
            std::process::id(),
            since.format("%Y-%m-%d %H:%M:%S")
        );
        file.set_len(0).map_err(fail)?;
        file.write_all(holder.as_bytes()).map_err(fail)?;
        Ok(Self { _file: file.into_file() })
    }
}

fn refusal(folder: &Path, mut file: File) -> Error {
    // Where locks bind readers too, who holds it stays unknown.
    let mut holder = String::new();
    let read = file.rewind().and_then(|()| file.take(LONGEST).read_to_string(&mut holder));
    let holder = holder.trim();
    let holder = if read.is_ok() && !holder.is_empty() { holder } else { "another process" };
    Error::usage(format!("{} is being written by {holder}", folder.display()))
        .with_help("wait until it has ended, end it, or give another folder with --out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = FolderLock::take(folder.path()).expect("it is free");
        let refused = FolderLock::take(folder.path()).expect_err("it is held").to_string();
        assert!(refused.contains(&format!("process {}, since ", std::process::id())), "{refused}");
        drop(held);
        FolderLock::take(folder.path()).expect("it is free again");
    }
}
