//! All that wgfit does to a disk goes through here: files written whole or not at all, files that are
//! appended to, what is made, renamed, removed and waited for. [`crate::fault`] counts it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::FileExt as _;
use tempfile::{NamedTempFile, PersistError};

use crate::error::{Error, Result};
use crate::fault::{Operation, pass, pass_rename, pass_write};

/// Writes a file under a temporary name beside it, syncs it and renames it into place.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|error| Error::io("write", path, error))?;
    file.put_in_place()
}

/// The same for a file that is not to be there yet.
///
/// # Errors
/// When the folder cannot be written, or the file is there.
pub(crate) fn write_new_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|error| Error::io("write", path, error))?;
    file.persist(|file| file.persist_noclobber(path))
}

/// How the names of files begin and end that are not whole yet.
const UNFINISHED: (&str, &str) = (".wgfit-", ".tmp");

/// Removes from a folder what a process that was killed had not finished. No other process may be
/// writing there.
///
/// # Errors
/// When a file cannot be removed.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    // Whoever looks for nothing does nothing.
    if !path.is_symlink() && !path.exists() {
        return Ok(());
    }
    match pass(Operation::Remove, path, || fs::remove_file(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// Removes an empty folder.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    pass(Operation::Remove, path, || fs::remove_dir(path))
}

/// Makes a folder and those above it, where they are not there, and waits for their names to be on the disk.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    let is_new = |path: &&Path| !path.as_os_str().is_empty() && !path.is_dir();
    let made: Vec<&Path> = path.ancestors().take_while(is_new).collect();
    if made.is_empty() {
        return Ok(());
    }
    pass(Operation::Create, path, || fs::create_dir_all(path))?;
    made.into_iter().rev().try_for_each(|made| sync_folder(parent(made)))
}

/// Makes a folder that is not there yet, in one that is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    pass(Operation::Create, path, || fs::create_dir(path))?;
    sync_folder(parent(path))
}

/// The folder that holds a file.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits for a sync, where there is such a thing.
fn synced(path: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match pass(Operation::Sync, path, sync) {
        Err(error) if [ErrorKind::Unsupported, ErrorKind::InvalidInput].contains(&error.kind()) => {
            Ok(())
        }
        waited => waited,
    }
}

/// Waits until the names in a folder are on the disk. Not every system lets a folder be opened.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(open) => synced(folder, || open.sync_all()),
        Err(_) => Ok(()),
    }
}

/// A file that is written.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Opens a file to write, which is made where it is not there; what it holds stays.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut open = OpenOptions::new();
        let open = open.read(true).write(true).create(true).truncate(false);
        Self::made(path, || open.open(path))
    }

    /// A file without a name, in a folder, which is gone with the process.
    pub(crate) fn unnamed_in(folder: &Path) -> io::Result<Self> {
        Self::made(folder, || tempfile::tempfile_in(folder))
    }

    fn made(path: &Path, make: impl FnOnce() -> io::Result<File>) -> io::Result<Self> {
        let file = pass(Operation::Create, path, make)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The file itself, not to be written to.
    pub(crate) fn as_file(&self) -> &File {
        &self.file
    }

    /// The file itself, once it is written.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    /// Reserves room for so many bytes.
    pub(crate) fn allocate(&self, bytes: u64) -> io::Result<()> {
        pass(Operation::Allocate, &self.path, || self.file.allocate(bytes))
    }

    /// Cuts it.
    pub(crate) fn set_len(&self, bytes: u64) -> io::Result<()> {
        pass(Operation::Change, &self.path, || self.file.set_len(bytes))
    }

    /// Waits until what was written is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        synced(&self.path, || self.file.sync_data())
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        pass_write(&self.path, &mut self.file, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for DiskFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A file that is appended to, record by record: one that could not be written whole is taken back.
#[derive(Debug)]
pub(crate) struct AppendedFile {
    file: DiskFile,
    /// Bytes of whole records.
    bytes: u64,
    /// Of these, how many are on the disk.
    settled: u64,
    /// Whether something else may stand after the whole records.
    is_torn: bool,
    /// Whether a sync has failed: the system may have dropped what it could not write, and says
    /// so once.
    is_lost: bool,
}

impl AppendedFile {
    /// Opens a file to go on with after its first bytes; what follows them is gone. A file that is
    /// not there is made.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn open(path: &Path, bytes: u64) -> Result<Self> {
        let fail = |error| Error::io("write", path, error);
        let is_new = !path.exists();
        let file = DiskFile::open(path).map_err(fail)?;
        let mut opened = Self { file, bytes, settled: bytes, is_torn: false, is_lost: false };
        if opened.file.as_file().metadata().map_err(fail)?.len() != bytes {
            opened.file.set_len(bytes).map_err(fail)?;
        }
        opened.file.seek(SeekFrom::Start(bytes)).map_err(fail)?;
        if is_new {
            sync_folder(parent(path)).map_err(fail)?;
        }
        Ok(opened)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When it cannot be written; it is gone then, and the next one may be tried.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<()> {
        let written = self.mend().and_then(|()| self.file.write_all(record));
        if let Err(error) = written {
            self.is_torn = true;
            // Else before the next record.
            let _ = self.mend();
            return Err(Error::io("write", &self.file.path, error));
        }
        self.bytes += record.len() as u64;
        Ok(())
    }

    /// Takes back what was written of a record.
    fn mend(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.bytes)?;
            self.file.seek(SeekFrom::Start(self.bytes))?;
            self.is_torn = false;
        }
        Ok(())
    }

    /// Waits until what was appended is on the disk.
    ///
    /// # Errors
    /// When it does not arrive there: nothing that is appended from now on counts as arrived.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.is_lost {
            return Ok(());
        }
        match self.file.sync() {
            Ok(()) => {
                self.settled = self.bytes;
                Ok(())
            }
            Err(error) => {
                self.is_lost = true;
                Err(Error::io("write", &self.file.path, error))
            }
        }
    }

    /// Bytes that are on the disk for certain.
    pub(crate) fn settled(&self) -> u64 {
        self.settled
    }
}

/// A file that stands under a temporary name beside its own until it is whole.
pub(crate) struct AtomicFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl AtomicFile {
    /// Begins the file of that name.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let (prefix, suffix) = UNFINISHED;
        let mut names = tempfile::Builder::new();
        let make = || names.prefix(prefix).suffix(suffix).tempfile_in(parent(path));
        let file = pass(Operation::Create, path, make);
        let file = file.map_err(|error| Error::io("write", path, error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Syncs it and renames it into place.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn put_in_place(self) -> Result<()> {
        let path = self.path.clone();
        self.persist(|file| file.persist(path))
    }

    fn persist(
        self,
        rename: impl FnOnce(NamedTempFile) -> std::result::Result<File, PersistError>,
    ) -> Result<()> {
        let Self { path, file } = self;
        let fail = |source| Error::io("write", &path, source);
        synced(file.path(), || file.as_file().sync_all()).map_err(fail)?;
        pass(Operation::Change, &path, || make_readable(file.as_file())).map_err(fail)?;
        let name = file.path().to_owned();
        let rename = || rename(file).map_err(|error| error.error);
        pass_rename(&name, &path, rename).map_err(fail)?;
        // The rename itself must reach the disk.
        sync_folder(parent(&path)).map_err(fail)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let path = self.file.path().to_owned();
        pass_write(&path, self.file.as_file_mut(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Temporary files are private to their owner; results are not.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_is_taken_back_before_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut log = AppendedFile::open(&path, 0).expect("a log");
        log.append(b"first\n").expect("written");
        log.file.write_all(b"sec").expect("half a record");
        log.is_torn = true;
        log.append(b"third\n").expect("written");
        assert_eq!(log.settled(), 0);
        log.settle().expect("on the disk");
        assert_eq!(log.settled(), 12);
        assert_eq!(fs::read(&path).expect("the log"), b"first\nthird\n");
        let mut log = AppendedFile::open(&path, 6).expect("the log");
        log.append(b"x\n").expect("written");
        assert_eq!(fs::read(&path).expect("the log"), b"first\nx\n");
    }

    #[test]
    fn what_was_not_finished_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [".wgfit-a.tmp", ".wgfit-b", "c.tmp"] {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        remove_unfinished(folder.path()).expect("removed");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2);
        remove(&folder.path().join("not there")).expect("no error");
    }

    #[test]
    fn a_new_file_replaces_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        write_new_atomically(&path, b"first").expect("written");
        let refused = write_new_atomically(&path, b"second").expect_err("it is there");
        assert!(
            matches!(&refused, Error::Io { source, .. } if source.kind() == ErrorKind::AlreadyExists)
        );
        assert_eq!(fs::read(&path).expect("the file"), b"first");
        write_atomically(&path, b"third").expect("written");
        assert_eq!(fs::read(&path).expect("the file"), b"third");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }
}
