//! Opening data files: which format a name stands for, gzip, and errors that name the file.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Place, Result};

/// What a file's name says of its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Fields parted by commas, semicolons or tabs.
    Text,
    /// The format of MNIST.
    Idx,
}

const KNOWN: &str = ".csv, .tsv, .txt and IDX (.idx, -ubyte), each also with .gz after it";

impl Format {
    /// The format of a file, by its name.
    pub(super) fn of(file: &Path) -> Result<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if name.ends_with("-ubyte") || extension.starts_with("idx") || extension == "ubyte" {
            return Ok(Self::Idx);
        }
        let problem = match extension {
            "csv" | "tsv" | "txt" => return Ok(Self::Text),
            "parquet" | "arrow" | "feather" | "npy" | "npz" => {
                format!("this version does not read .{extension} files")
            }
            "" => "the name has no extension that says what kind of file it is".to_owned(),
            _ => format!("unknown kind of file: .{extension}"),
        };
        Err(Error::data(file, Place::default(), problem).with_help(format!("it reads {KNOWN}")))
    }
}

/// An open data file, decompressed.
pub(super) struct Source {
    /// The bytes, from the start.
    pub reader: Box<dyn Read>,
    /// The first bytes once more, to look at.
    pub head: Vec<u8>,
}

const HEAD: u64 = 64 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl Source {
    /// Opens a file and looks at its first bytes. Gzip is told by its magic bytes.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let (magic, _) = peek(&mut file, 2).map_err(|error| read_error(path, error))?;
        let compressed = magic == GZIP;
        let whole = Cursor::new(magic).chain(file);
        let mut reader: Box<dyn Read> = if compressed {
            Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(whole)))
        } else {
            Box::new(whole)
        };
        let (head, empty) = peek(&mut reader, HEAD).map_err(|error| read_error(path, error))?;
        if empty {
            return Err(Error::data(path, Place::default(), "the file is empty"));
        }
        let reader = Box::new(Cursor::new(head.clone()).chain(reader));
        Ok(Self { reader, head })
    }
}

fn peek(reader: &mut impl Read, bytes: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut head = Vec::new();
    reader.take(bytes).read_to_end(&mut head)?;
    let empty = head.is_empty();
    Ok((head, empty))
}

/// The error of a failed read: damaged compression is the file's fault, the rest the system's.
pub(super) fn read_error(path: &Path, error: io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
        let problem = format!("the gzip data is damaged or cut short: {error}");
        return Error::data(path, Place::default(), problem);
    }
    Error::io("read", path, error)
}
