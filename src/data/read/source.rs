//! Opening data files: which format a file is of, gzip and zstd, and errors that name the file.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Place, Result};

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Format {
    /// Fields parted by commas, semicolons or tabs.
    Text,
    /// The format of MNIST.
    Idx,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
    /// An array of NumPy.
    Npy,
    /// An archive of NumPy.
    Npz,
}

const KNOWN: &str = ".csv, .tsv, .txt and IDX (.idx, -ubyte), each also with .gz or .zst after it; \
                     .parquet; .arrow, .feather, .ipc; .npy, .npz";

/// What the formats begin with that can be told by it.
const MAGIC: [(&[u8], Format); 5] = [
    (b"PAR1", Format::Parquet),
    (b"ARROW1", Format::Arrow),
    (b"\x93NUMPY", Format::Npy),
    (b"PK\x03\x04", Format::Npz),
    (b"PK\x05\x06", Format::Npz),
];

impl Format {
    /// The format of a file: by its first bytes where they tell, else by its name.
    pub(in crate::data) fn of(file: &Path) -> Result<Self> {
        let opened = File::open(file).map_err(|error| Error::io("read", file, error))?;
        let (head, empty) =
            peek(&mut (&opened), 8).map_err(|error| Error::io("read", file, error))?;
        let by_magic = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
        match by_magic.map(|(_, format)| *format) {
            // Many files are archives of that kind: workbooks are.
            Some(Self::Npz) => return Self::by_name(file).map(|_| Self::Npz),
            Some(format) => return Ok(format),
            None => {}
        }
        let format = Self::by_name(file)?;
        if empty {
            return Err(Error::data(file, Place::default(), "the file is empty"));
        }
        let is_text = head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
        let what = match format {
            Self::Parquet => "Parquet",
            Self::Npy => "NPY",
            Self::Npz => "NPZ",
            // A stream has no magic.
            Self::Arrow if is_text && !head.starts_with(b"FEA1") => "Arrow",
            Self::Arrow | Self::Text | Self::Idx => return Ok(format),
        };
        let begins = if is_text { "text" } else { "something else" };
        let problem = format!("not {what}, as its name says, but {begins}");
        Err(Error::data(file, Place::byte(0), problem)
            .with_help("give it the extension of what it is, or write it once more"))
    }

    /// The format that a file's name stands for.
    fn by_name(file: &Path) -> Result<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let compressed = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end));
        let name = compressed.unwrap_or(&name);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if name.ends_with("-ubyte") || extension.starts_with("idx") || extension == "ubyte" {
            return Ok(Self::Idx);
        }
        let problem = match extension {
            "csv" | "tsv" | "txt" => return Ok(Self::Text),
            "parquet" | "pq" if compressed.is_none() => return Ok(Self::Parquet),
            "arrow" | "arrows" | "feather" | "ipc" if compressed.is_none() => {
                return Ok(Self::Arrow);
            }
            "npy" if compressed.is_none() => return Ok(Self::Npy),
            "npz" if compressed.is_none() => return Ok(Self::Npz),
            "parquet" | "pq" | "arrow" | "arrows" | "feather" | "ipc" | "npy" | "npz" => {
                format!("a compressed .{extension} file: the format compresses by itself")
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
    pub reader: Box<dyn Read + Send>,
    /// The first bytes once more, to look at.
    pub head: Vec<u8>,
}

const HEAD: u64 = 64 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

impl Source {
    /// Opens a file and looks at its first bytes. Gzip and zstd are told by their magic bytes.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let (magic, _) = peek(&mut file, 4).map_err(|error| read_error(path, error))?;
        let (gzip, zstd) = (magic.starts_with(&GZIP), magic.starts_with(&ZSTD));
        let whole = Cursor::new(magic).chain(file);
        let mut reader: Box<dyn Read + Send> = if gzip {
            Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(whole)))
        } else if zstd {
            let decoder = zstd::Decoder::new(whole).map_err(|error| read_error(path, error))?;
            Box::new(BufReader::with_capacity(1 << 18, decoder))
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
    // What the system says has a number; what a decoder says has none.
    let of_decoder = error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none();
    if of_decoder || matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
        let problem = format!("the compressed data is damaged or cut short: {error}");
        return Error::data(path, Place::default(), problem);
    }
    Error::io("read", path, error)
}
