//! Encoded rows that do not fit in memory: a temporary file of 32-bit floats, row by row, which has no
//! name while it is used and is gone with the process.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::hash::hash_reals;
use crate::disk::DiskFile;
use crate::error::{Error, Result};

/// Bytes that are written at once.
const BUFFER: usize = 4 << 20;

/// Bytes after which the disk is waited for: what it has not taken yet is memory.
const SYNCED: usize = 128 << 20;

/// Bytes of a disk that are left to others.
const SPARE: u64 = 64 << 20;

/// What to do about a folder that does not do.
const ADVICE: &str = "name a folder on another disk in data.streaming_folder, or keep the rows in \
                      memory with data.streaming = false";

/// Rows in a file, read from any place.
#[derive(Debug)]
pub struct Spill {
    file: File,
    /// The folder that it is in, for messages.
    folder: PathBuf,
    /// Rows.
    pub rows: usize,
    /// Values of a row.
    pub width: usize,
    /// SHA-256 of the values, little-endian.
    pub(super) digest: [u8; 32],
}

impl PartialEq for Spill {
    /// Whether it is the same file.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Spill {
    /// Reads whole rows, from `first` on, as many as fill `out`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let start = (first * self.width * size_of::<f32>()) as u64;
        read_at(&self.file, start, bytemuck::cast_slice_mut(out)).map_err(|error| {
            Error::io("read the temporary file of encoded rows in", &self.folder, error)
        })
    }
}

#[cfg(unix)]
fn read_at(file: &File, start: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, start)
}

#[cfg(windows)]
fn read_at(file: &File, mut start: u64, mut bytes: &mut [u8]) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        let read = file.seek_read(bytes, start)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        start += read as u64;
        bytes = &mut bytes[read..];
    }
    Ok(())
}

/// A spill that is being written.
pub(super) struct SpillWriter {
    file: DiskFile,
    folder: PathBuf,
    buffer: Vec<u8>,
    rows: usize,
    width: usize,
    unsynced: usize,
    hasher: Sha256,
}

impl SpillWriter {
    /// An empty file of rows of `width` values, in a folder, with room for `rows` where their number is
    /// known.
    pub(super) fn new(folder: &Path, width: usize, rows: Option<usize>) -> Result<Self> {
        let file = DiskFile::unnamed_in(folder).map_err(|error| {
            Error::storage(folder, format!("no temporary file can be made here: {error}"))
                .with_help(ADVICE)
        })?;
        let needed = rows.unwrap_or(0) as u64 * (width * size_of::<f32>()) as u64;
        if needed > 0 {
            let free = fs4::available_space(folder).ok();
            if free.is_some_and(|free| free < needed.saturating_add(SPARE)) {
                return Err(too_full(folder, needed));
            }
            match file.allocate(needed) {
                Err(error) if is_full(&error) => return Err(too_full(folder, needed)),
                // A file system that reserves nothing says so when it is full.
                _ => {}
            }
        }
        Ok(Self {
            file,
            folder: folder.to_owned(),
            buffer: Vec::new(),
            rows: 0,
            width,
            unsynced: 0,
            hasher: Sha256::new(),
        })
    }

    /// Appends rows.
    pub(super) fn push(&mut self, rows: &[f32]) -> Result<()> {
        self.buffer.extend_from_slice(bytemuck::cast_slice(rows));
        hash_reals(&mut self.hasher, rows);
        self.rows += rows.len() / self.width.max(1);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.unsynced += self.buffer.len();
        let mut written = self.file.write_all(&self.buffer);
        if self.unsynced >= SYNCED && written.is_ok() {
            self.unsynced = 0;
            written = self.file.sync();
        }
        self.buffer.clear();
        written.map_err(|error| match is_full(&error) {
            true => too_full(&self.folder, (self.rows * self.width * size_of::<f32>()) as u64),
            false => Error::io("write the temporary file of encoded rows in", &self.folder, error),
        })
    }

    /// The rows, to be read.
    pub(super) fn finish(mut self) -> Result<Arc<Spill>> {
        self.flush()?;
        let Self { file, folder, rows, width, hasher, .. } = self;
        let digest = hasher.finalize().into();
        Ok(Arc::new(Spill { file: file.into_file(), folder, rows, width, digest }))
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// The error of a disk without room for a file of so many bytes.
fn too_full(folder: &Path, needed: u64) -> Error {
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let free = fs4::available_space(folder)
        .map_or_else(|_| String::new(), |free| format!(", and {} MiB are free", mebibytes(free)));
    let needed = mebibytes(needed);
    let problem =
        format!("the disk is too full: the encoded rows of a set take {needed} MiB{free}");
    Error::storage(folder, problem).with_help(ADVICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_where_they_are_and_no_file_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = SpillWriter::new(folder.path(), 3, Some(5)).expect("a file");
        let values: Vec<f32> = (0..15).map(|at| at as f32).collect();
        values.chunks(3).for_each(|row| writer.push(row).expect("written"));
        let spill = writer.finish().expect("all rows");
        let mut read = [0.0; 6];
        spill.read(2, &mut read).expect("two rows");
        assert_eq!((spill.rows, read), (5, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]));
        assert!(spill.read(4, &mut read).is_err(), "past the end");
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_take_the_rows_is_refused_with_what_they_need() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let text = |made: Result<SpillWriter>| made.err().expect("refused").to_string();
        let found = text(SpillWriter::new(&file, 3, None));
        assert!(found.contains("no temporary file") && found.contains("data.streaming_folder"));
        // An exbibyte.
        let found = text(SpillWriter::new(folder.path(), 1 << 20, Some(1 << 38)));
        assert!(found.contains("take 1099511627776 MiB, and"), "{found}");
    }
}
