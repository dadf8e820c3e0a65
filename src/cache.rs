//! What is kept between two runs because it takes time to work out again: compiled pipelines,
//! measured tunings, what verification found wrong. No run depends on it: without a cache that can be
//! read and written it costs time, and a device is taken for right as if it had never been verified.

use std::fs;
use std::path::{Path, PathBuf};

use crate::disk::{create_folders, write_atomically};
use crate::error::{Error, Result};

/// The folder: `$WGFIT_CACHE`, else `wgfit` in the platform's folder for caches (`$XDG_CACHE_HOME` or
/// `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`). None where there is neither, or `$WGFIT_CACHE`
/// is empty.
pub fn folder() -> Option<PathBuf> {
    match std::env::var_os("WGFIT_CACHE") {
        Some(folder) => (!folder.is_empty()).then(|| PathBuf::from(folder)),
        None => Some(dirs::cache_dir()?.join("wgfit")),
    }
}

/// Reads a file of at most so many bytes out of a cache folder; none where that cannot be done.
pub fn read(folder: &Path, name: &str, at_most: u64) -> Option<Vec<u8>> {
    let file = folder.join(name);
    (fs::metadata(&file).ok()?.len() <= at_most).then(|| fs::read(&file).ok())?
}

/// Writes a file into a cache folder, which is made where it is not there, whole or not at all:
/// of two processes that write at once, the later one's file stays.
///
/// # Errors
/// When the folder cannot be written, which is no reason to end a run.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    create_folders(folder).map_err(|error| Error::io("create", folder, error))?;
    write_atomically(&folder.join(name), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_bad_folder_is_no_panic() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().join("new").join("cache");
        assert_eq!(read(&folder, "a", 10), None);
        write(&folder, "a", b"first").expect("a file");
        write(&folder, "a", b"second").expect("the file again");
        assert_eq!(read(&folder, "a", 10).as_deref(), Some(&b"second"[..]));
        assert_eq!(read(&folder, "a", 5), None, "longer than asked for");
        assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 1, "a file was left behind");
        // A file where the folder should be.
        let blocked = folder.join("a");
        assert!(write(&blocked, "b", b"x").is_err());
        assert_eq!(read(&blocked, "b", 10), None);
    }
}
