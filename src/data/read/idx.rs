//! Reading IDX, the format of MNIST: two zero bytes, a type, the number of dimensions, each
//! dimension as a big-endian u32, then the values, big-endian, the first dimension slowest.

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::source::{Source, read_error};
use super::values::{Stored, Strided};
use super::{CHUNK_ROWS, Cells, Chunk, Kind, Places, Reader, Schema, SchemaColumn};
use crate::error::{Error, Place, Result};

/// Bytes read at a time.
const CHUNK_BYTES: u64 = 4 << 20;
/// The most columns.
const MOST_COLUMNS: u64 = 1_000_000;

fn stored(code: u8) -> Option<Stored> {
    Some(match code {
        0x08 => Stored::Unsigned(1),
        0x09 => Stored::Signed(1),
        0x0b => Stored::Signed(2),
        0x0c => Stored::Signed(4),
        0x0d => Stored::Float(4),
        0x0e => Stored::Float(8),
        _ => return None,
    })
}

/// An IDX file, read forward: rows along its first dimension, of which each has the values of the
/// others.
pub(super) struct IdxReader {
    file: Arc<Path>,
    schema: Schema,
    reader: Box<dyn Read + Send>,
    stored: Stored,
    /// The dimensions, for messages.
    shape: String,
    /// Bytes of the header, of all values, and of those that were read.
    start: u64,
    length: u64,
    done: u64,
    raw: Vec<u8>,
}

impl IdxReader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it is not IDX, or claims no rows or more than a file can hold. The byte is named.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let fault = |byte: u64, problem: String| Error::data(path, Place::byte(byte), problem);
        let mut reader = Source::open(path)?.reader;
        let mut magic = [0; 4];
        let got = fill(path, &mut reader, &mut magic)?;
        if got < magic.len() {
            return Err(fault(
                bytes(got),
                "the file ends within the 4 bytes of the magic".to_owned(),
            ));
        }
        if magic[..2] != [0, 0] {
            let problem = format!(
                "not an IDX file: it begins with {:02x} {:02x}, expected 00 00",
                magic[0], magic[1]
            );
            return Err(fault(0, problem));
        }
        let stored = stored(magic[2]).ok_or_else(|| {
            fault(2, format!("unknown IDX type 0x{:02x}", magic[2]))
                .with_help("known: 08 u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64")
        })?;
        if magic[3] == 0 {
            return Err(fault(3, "no dimensions, expected at least 1".to_owned()));
        }
        let mut sizes = vec![0; usize::from(magic[3]) * 4];
        let got = fill(path, &mut reader, &mut sizes)?;
        if got < sizes.len() {
            let problem = format!("the file ends within the sizes of its {} dimensions", magic[3]);
            return Err(fault(bytes(got) + 4, problem));
        }
        let sizes: Vec<u64> =
            sizes.as_chunks::<4>().0.iter().map(|size| u32::from_be_bytes(*size).into()).collect();
        let start = 4 + 4 * u64::from(magic[3]);
        let shape = sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ");
        let too_large =
            || fault(4, format!("the header claims {shape} values, more than any file can hold"));
        let product = |sizes: &[u64]| {
            sizes.iter().try_fold(1_u64, |product, size| product.checked_mul(*size))
        };
        let size = stored.size() as u64;
        let length = product(&sizes).and_then(|count| count.checked_mul(size));
        let length = length.ok_or_else(too_large)?;
        let width = product(&sizes[1..]).ok_or_else(too_large)?;
        if length == 0 {
            return Err(fault(4, format!("there are no rows: the dimensions are {shape}")));
        }
        if width > MOST_COLUMNS {
            let problem = format!("{width} values a row, and {MOST_COLUMNS} is the most");
            return Err(fault(8, problem));
        }
        // Columns are made when a row of them is there.
        let row_bytes = width * size;
        let mut first = Vec::new();
        let piece = reader.by_ref().take(row_bytes).read_to_end(&mut first);
        let found = bytes(piece.map_err(|error| read_error(path, error))?);
        if found < row_bytes {
            return Err(too_short(path, &shape, start, length, found));
        }
        let reader = Box::new(Cursor::new(first).chain(reader));
        let columns = (0..width)
            .map(|index| SchemaColumn { name: index.to_string(), kind: Kind::Number })
            .collect();
        let rows = sizes.first().copied();
        let schema = Schema {
            file: path.to_owned(),
            header: false,
            columns,
            first: Vec::new(),
            rows,
            matrix: true,
        };
        let raw = Vec::new();
        Ok(Self { file: path.into(), schema, reader, stored, shape, start, length, done: 0, raw })
    }

    /// Nothing may follow the last value.
    fn check_end(&mut self) -> Result<()> {
        if fill(&self.file, &mut self.reader, &mut [0])? > 0 {
            let (length, shape) = (self.length, &self.shape);
            let problem = format!("the file goes on after the {length} bytes of {shape} values");
            let place = Place::byte(self.start.saturating_add(length));
            return Err(Error::data(&self.file, place, problem));
        }
        Ok(())
    }
}

impl Reader for IdxReader {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        if self.done == self.length {
            return Ok(None);
        }
        let width = self.schema.columns.len();
        let row_bytes = bytes(width * self.stored.size());
        let rows = (CHUNK_BYTES / row_bytes).clamp(1, bytes(CHUNK_ROWS));
        let length = (rows * row_bytes).min(self.length - self.done);
        self.raw.clear();
        let mut piece = self.reader.by_ref().take(length);
        piece.read_to_end(&mut self.raw).map_err(|error| read_error(&self.file, error))?;
        let (found, expected, shape) =
            (self.done + bytes(self.raw.len()), self.length, &self.shape);
        if found < self.done + length {
            return Err(too_short(&self.file, shape, self.start, expected, found));
        }
        let first_row = self.done / row_bytes;
        self.done += length;
        if self.done == self.length {
            self.check_end()?;
        }
        let rows = self.raw.len() / (width * self.stored.size());
        let Self { raw, stored, .. } = &*self;
        let columns: Vec<Cells> = (0..width)
            .into_par_iter()
            .map(|first| {
                let (stored, stride) = (*stored, width);
                let values = Strided { raw, stored, big_endian: true, first, rows, stride };
                // Numbers of IDX have 32 bits at most, or are floats: all are there as they were.
                let cells = || values.decode().map_or(Cells::Skipped, |(cells, _)| cells);
                if wanted[first] { cells() } else { Cells::Skipped }
            })
            .collect();
        let file = Arc::clone(&self.file);
        Ok(Some(Chunk { file, rows, places: Places::Rows(first_row), columns }))
    }
}

/// The error of a file that ends `found` bytes after its header, which has `start`.
fn too_short(path: &Path, shape: &str, start: u64, expected: u64, found: u64) -> Error {
    let problem = format!(
        "the file ends here, {} bytes short: {shape} values need {expected} bytes after the header, \
         found {found}",
        expected - found
    );
    Error::data(path, Place::byte(start + found), problem)
}

/// Reads until the buffer is full or the file ends; gives the bytes read.
fn fill(path: &Path, reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(path, error)),
        }
    }
    Ok(filled)
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
