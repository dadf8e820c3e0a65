//! NumPy's arrays: .npy files, and the arrays of an .npz archive.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use npyz::{DType, Endianness, NpyHeader, Order, TimeUnits, TypeChar};
use rayon::prelude::*;

use super::guard::guarded;
use super::values::{Stored, Strided};
use super::{Cells, Chunk, Kind, Places, Reader, Schema, SchemaColumn};
use crate::error::{Error, Place, Result};

/// The longest header that is read: NumPy's own are of some hundred bytes.
const LONGEST_HEADER: usize = 1 << 16;
/// The deepest nesting of brackets in a header.
const DEEPEST_HEADER: usize = 16;
/// The most columns.
const MOST_COLUMNS: u64 = 1_000_000;
/// The longest text of an array, in characters.
const LONGEST_TEXT: u64 = 1 << 20;
/// Bytes read at a time.
const CHUNK_BYTES: u64 = 4 << 20;

/// What can be read and sought: a file, or an array taken out of an archive.
pub(super) trait Bytes: Read + Seek + Send {}
impl<T: Read + Seek + Send> Bytes for T {}

/// An array, read forward.
pub(super) struct NpyReader {
    file: Arc<Path>,
    /// What the array is called in messages; empty for a file of its own.
    array: String,
    schema: Schema,
    bytes: Box<dyn Bytes>,
    stored: Stored,
    big_endian: bool,
    /// Where the values of a column stand together, the place of each column among them.
    by_columns: Option<Vec<usize>>,
    /// Where the values begin.
    start: u64,
    rows: u64,
    width: usize,
    next_row: u64,
    /// The first integer that a 64-bit float cannot hold.
    inexact: Option<(usize, String)>,
    raw: Vec<u8>,
}

impl NpyReader {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        Self::new(path.into(), String::new(), Box::new(file))
    }

    /// An array out of an archive.
    pub(super) fn of_archive(path: &Arc<Path>, name: &str, bytes: Vec<u8>) -> Result<Self> {
        Self::new(Arc::clone(path), name.to_owned(), Box::new(Cursor::new(bytes)))
    }

    fn new(file: Arc<Path>, array: String, mut bytes: Box<dyn Bytes>) -> Result<Self> {
        let read = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                fault(&file, &array, "the file ends within its header".to_owned())
            }
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::Other => {
                fault(&file, &array, format!("not readable as NPY: {error}"))
            }
            _ => Error::io("read", &file, error),
        };
        // The header's own length is looked at before anything is made of that size.
        let mut head = [0; 12];
        bytes.read_exact(&mut head).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => fault(&file, &array, "not an NPY file".to_owned()),
            _ => Error::io("read", &file, error),
        })?;
        let length = match head[6] {
            1 => usize::from(u16::from_le_bytes([head[8], head[9]])),
            _ => u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize,
        };
        if head.starts_with(b"\x93NUMPY") && length > LONGEST_HEADER {
            let problem =
                format!("its header claims {length} bytes, and {LONGEST_HEADER} is the most");
            return Err(fault(&file, &array, problem));
        }
        bytes.seek(SeekFrom::Start(10)).map_err(read)?;
        let mut text = Vec::new();
        bytes.by_ref().take(length as u64 + 2).read_to_end(&mut text).map_err(read)?;
        if deepest(&text) > DEEPEST_HEADER {
            return Err(fault(&file, &array, "its header is not that of an array".to_owned()));
        }
        bytes.seek(SeekFrom::Start(0)).map_err(read)?;
        // It multiplies sizes, unchecked, which a build with checks does not survive.
        let header = guarded(|| NpyHeader::from_reader(&mut bytes))
            .ok_or_else(|| fault(&file, &array, "its shape is past 64 bits".to_owned()))?
            .map_err(read)?;
        let start = bytes.stream_position().map_err(read)?;
        let (stored, big_endian) = stored(&header.dtype())
            .map_err(|(problem, help)| fault(&file, &array, problem).with_help(help))?;
        let shape = header.shape();
        let described = shape.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ");
        let rows = *shape
            .first()
            .ok_or_else(|| fault(&file, &array, "a single value, not rows of them".to_owned()))?;
        let width = shape[1..].iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
        let width = width.filter(|width| (1..=MOST_COLUMNS).contains(width)).ok_or_else(|| {
            let problem = format!("of shape {described}: a row has 1 to {MOST_COLUMNS} values");
            fault(&file, &array, problem)
        })?;
        if rows == 0 {
            let problem = format!("there are no rows: its shape is {described}");
            return Err(fault(&file, &array, problem));
        }
        let size = stored.size() as u64;
        let needed = rows.checked_mul(width).and_then(|count| count.checked_mul(size));
        let there = bytes.seek(SeekFrom::End(0)).map_err(read)?.saturating_sub(start);
        if needed != Some(there) {
            let needed = needed.map_or("more than can be".to_owned(), |needed| needed.to_string());
            let problem = format!(
                "its header claims {described} values of {size} bytes, {needed} in all, and {there} \
                 bytes follow it"
            );
            return Err(fault(&file, &array, problem).with_help("is the file complete?"));
        }
        bytes.seek(SeekFrom::Start(start)).map_err(read)?;
        let kind = match stored {
            Stored::Bool => Kind::Boolean,
            Stored::Moment { .. } => Kind::Date,
            Stored::Bytes(_) | Stored::Characters(_) => Kind::Unknown,
            _ => Kind::Number,
        };
        // A million columns at most.
        let width = width as usize;
        let names = (0..width).map(|index| index.to_string());
        let columns = names.map(|name| SchemaColumn { name, kind: kind.clone() }).collect();
        let schema = Schema {
            file: file.to_path_buf(),
            header: false,
            columns,
            first: Vec::new(),
            rows: Some(rows),
            matrix: true,
        };
        let by_columns = (header.order() == Order::Fortran && shape.len() > 1)
            .then(|| (0..width).map(|column| fortran_place(column, &shape[1..])).collect());
        Ok(Self {
            file,
            array,
            schema,
            bytes,
            stored,
            big_endian,
            by_columns,
            start,
            rows,
            width,
            next_row: 0,
            inexact: None,
            raw: Vec::new(),
        })
    }

    /// How many of the rows that are left make a piece of good size.
    pub(super) fn rows_at_once(&self) -> usize {
        let row_bytes = (self.width * self.stored.size()) as u64;
        let rows = (CHUNK_BYTES / row_bytes).clamp(1, super::CHUNK_ROWS as u64);
        rows.min(self.rows - self.next_row) as usize
    }

    /// The next rows, as many as there must be.
    pub(super) fn read_rows(&mut self, rows: usize, wanted: &[bool]) -> Result<Vec<Cells>> {
        let size = self.stored.size();
        let decoded: Vec<_> = match self.by_columns.take() {
            None => {
                self.fill(rows * self.width * size)?;
                let rows = self.strided(rows, self.width);
                let decode =
                    |first: usize| wanted[first].then(|| Strided { first, ..rows }.decode());
                (0..self.width).into_par_iter().map(decode).collect()
            }
            Some(places) => {
                let mut decoded = Vec::with_capacity(self.width);
                for (place, wanted) in places.iter().zip(wanted) {
                    if !wanted {
                        decoded.push(None);
                        continue;
                    }
                    let first = *place as u64 * self.rows + self.next_row;
                    let first = SeekFrom::Start(self.start + first * size as u64);
                    self.bytes.seek(first).map_err(|error| Error::io("read", &self.file, error))?;
                    self.fill(rows * size)?;
                    decoded.push(Some(self.strided(rows, 1).decode()));
                }
                self.by_columns = Some(places);
                decoded
            }
        };
        let mut columns = Vec::with_capacity(self.width);
        for (column, decoded) in decoded.into_iter().enumerate() {
            let Some(decoded) = decoded else {
                columns.push(Cells::Skipped);
                continue;
            };
            let (cells, lost) = decoded.map_err(|row| {
                let row = Some(self.next_row + row as u64);
                let place = Place { row, column: Some(column.to_string()), ..Place::default() };
                Error::data(&self.file, place, "text that is not Unicode")
            })?;
            if let (Some(lost), None) = (lost, &self.inexact) {
                self.inexact = Some((column, lost));
            }
            columns.push(cells);
        }
        self.next_row += rows as u64;
        Ok(columns)
    }

    fn fill(&mut self, bytes: usize) -> Result<()> {
        self.raw.resize(bytes, 0);
        self.bytes.read_exact(&mut self.raw).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                fault(&self.file, &self.array, "the file became shorter as it was read".to_owned())
            }
            _ => Error::io("read", &self.file, error),
        })
    }

    /// The first of the columns in `raw`.
    fn strided(&self, rows: usize, stride: usize) -> Strided<'_> {
        let Self { raw, stored, big_endian, .. } = self;
        Strided { raw, stored: *stored, big_endian: *big_endian, first: 0, rows, stride }
    }
}

/// Where a row's value of some index, counted with the last dimension fastest, stands among them with
/// the first dimension fastest.
fn fortran_place(mut index: usize, sizes: &[u64]) -> usize {
    let mut place = 0;
    for (at, size) in sizes.iter().enumerate().rev() {
        // They fit: a row has a million values at most.
        let before: u64 = sizes[..at].iter().product();
        place += index % *size as usize * before as usize;
        index /= *size as usize;
    }
    place
}

/// How deep the brackets of a header are nested: what reads it goes one call deeper with each.
fn deepest(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn fault(file: &Path, array: &str, problem: String) -> Error {
    let problem =
        if array.is_empty() { problem } else { format!("the array {array:?}: {problem}") };
    Error::data(file, Place::default(), problem)
}

/// How values of a type are stored, or why they cannot be taken and what to do.
fn stored(dtype: &DType) -> std::result::Result<(Stored, bool), (String, String)> {
    let DType::Plain(of) = dtype else {
        return Err((
            "an array of records of several fields".to_owned(),
            "save each field as an array of its own, or the table as Parquet or CSV".to_owned(),
        ));
    };
    let size = of.size_field();
    let big_endian = of.endianness() == Endianness::Big;
    let stored = match (of.type_char(), size) {
        (TypeChar::Bool, 1) => Stored::Bool,
        (TypeChar::Int, 1 | 2 | 4 | 8) => Stored::Signed(size as u8),
        (TypeChar::Uint, 1 | 2 | 4 | 8) => Stored::Unsigned(size as u8),
        (TypeChar::Float, 2 | 4 | 8) => Stored::Float(size as u8),
        (TypeChar::ByteStr, 1..=LONGEST_TEXT) => Stored::Bytes(size as usize),
        (TypeChar::UnicodeStr, 1..=LONGEST_TEXT) => Stored::Characters(size as usize),
        (TypeChar::DateTime, 8) if let Some((times, over)) = of.time_units().and_then(units) => {
            Stored::Moment { times, over }
        }
        (TypeChar::Object, _) => {
            return Err((
                "an array of Python objects (dtype object), which can run any code when it is read"
                    .to_owned(),
                "save numbers: array.astype(numpy.float32); text columns go into Parquet or CSV"
                    .to_owned(),
            ));
        }
        _ => {
            return Err((
                format!("an array of type {of}"),
                "integers, floats of 16, 32 and 64 bits, booleans, text, and datetime64 in days or \
                 smaller units are read"
                    .to_owned(),
            ));
        }
    };
    Ok((stored, big_endian))
}

/// A moment's unit as seconds: so many, of which so many make up one.
fn units(units: TimeUnits) -> Option<(f64, f64)> {
    Some(match units {
        TimeUnits::Week => (7.0 * 86_400.0, 1.0),
        TimeUnits::Day => (86_400.0, 1.0),
        TimeUnits::Hour => (3_600.0, 1.0),
        TimeUnits::Minute => (60.0, 1.0),
        TimeUnits::Second => (1.0, 1.0),
        TimeUnits::Millisecond => (1.0, 1e3),
        TimeUnits::Microsecond => (1.0, 1e6),
        TimeUnits::Nanosecond => (1.0, 1e9),
        _ => return None,
    })
}

impl Reader for NpyReader {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn inexact(&self) -> Vec<(usize, String)> {
        self.inexact.clone().into_iter().collect()
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        let rows = self.rows_at_once();
        if rows == 0 {
            return Ok(None);
        }
        let places = Places::Rows(self.next_row);
        let columns = self.read_rows(rows, wanted)?;
        Ok(Some(Chunk { file: Arc::clone(&self.file), rows, places, columns }))
    }
}
