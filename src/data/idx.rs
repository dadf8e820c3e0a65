//! Reading IDX, the format of MNIST: two zero bytes, a type, the number of dimensions, each
//! dimension as a big-endian u32, then the values, big-endian, the first dimension slowest.

use std::io::Read;
use std::path::Path;

use super::source::{Source, read_error};
use crate::error::{Error, Place, Result};

/// The values of a file, compact: bytes stay bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// Unsigned bytes.
    Bytes(Vec<u8>),
    /// Everything else, all finite.
    Floats(Vec<f32>),
}

/// A file: `rows` rows of `width` values each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matrix {
    /// The first dimension.
    pub(super) rows: usize,
    /// The product of the other dimensions; 1 when there are none.
    pub(super) width: usize,
    /// The number of dimensions.
    pub(super) dimensions: usize,
    values: Values,
}

impl Matrix {
    /// One value.
    pub(super) fn get(&self, row: usize, column: usize) -> f64 {
        let at = row * self.width + column;
        match &self.values {
            Values::Bytes(bytes) => f64::from(bytes[at]),
            Values::Floats(floats) => f64::from(floats[at]),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    fn size(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Reads a file. Memory grows with what the file holds, whatever its header claims.
///
/// # Errors
/// When the file is not IDX, is shorter or longer than its header says, holds no rows, or a
/// number that is not finite. The byte is named.
pub(super) fn read(path: &Path) -> Result<Matrix> {
    let fault = |byte: u64, problem: String| Error::data(path, Place::byte(byte), problem);
    let mut reader = Source::open(path)?.reader;
    let mut magic = [0; 4];
    let got = fill(path, &mut reader, &mut magic)?;
    if got < magic.len() {
        return Err(fault(bytes(got), "the file ends within the 4 bytes of the magic".to_owned()));
    }
    if magic[..2] != [0, 0] {
        let problem = format!(
            "not an IDX file: it begins with {:02x} {:02x}, expected 00 00",
            magic[0], magic[1]
        );
        return Err(fault(0, problem));
    }
    let kind = Kind::of(magic[2]).ok_or_else(|| {
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
    let sizes: Vec<u32> =
        sizes.as_chunks::<4>().0.iter().map(|size| u32::from_be_bytes(*size)).collect();
    let start = 4 + 4 * u64::from(magic[3]);
    let shape = sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(" x ");
    let too_large =
        || fault(4, format!("the header claims {shape} values, more than any file can hold"));
    let count = sizes.iter().try_fold(1_u64, |product, size| product.checked_mul((*size).into()));
    let length = count.and_then(|count| count.checked_mul(kind.size())).ok_or_else(too_large)?;
    let rows = usize::try_from(sizes[0]).map_err(|_| too_large())?;
    let width = sizes[1..]
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(usize::try_from(*size).ok()?));
    let width = width.ok_or_else(too_large)?;
    if length == 0 {
        return Err(fault(4, format!("there are no rows: the dimensions are {shape}")));
    }
    let values = read_values(path, &mut reader, kind, start, length, &shape)?;
    if fill(path, &mut reader, &mut [0])? > 0 {
        let problem = format!("the file goes on after the {length} bytes of {shape} values");
        return Err(fault(start.saturating_add(length), problem));
    }
    Ok(Matrix { rows, width, dimensions: sizes.len(), values })
}

fn read_values(
    path: &Path,
    reader: &mut impl Read,
    kind: Kind,
    start: u64,
    length: u64,
    shape: &str,
) -> Result<Values> {
    const CHUNK: u64 = 1 << 20;
    let mut chunk = Vec::new();
    let mut raw = Vec::new();
    let mut floats = Vec::new();
    let mut done = 0;
    while done < length {
        let wanted = CHUNK.min(length - done);
        chunk.clear();
        reader
            .by_ref()
            .take(wanted)
            .read_to_end(&mut chunk)
            .map_err(|error| read_error(path, error))?;
        if bytes(chunk.len()) < wanted {
            let end = start + done + bytes(chunk.len());
            let problem = format!(
                "the file ends here, {} bytes short: {shape} values need {length} bytes after the \
                 header, found {}",
                length - (end - start),
                end - start
            );
            return Err(Error::data(path, Place::byte(end), problem));
        }
        let reserved = match kind {
            Kind::U8 => raw.try_reserve(chunk.len()),
            _ => floats.try_reserve(chunk.len()),
        };
        reserved.map_err(|_| {
            let problem = "there is not enough memory for the values".to_owned();
            Error::data(path, Place::byte(start + done), problem)
        })?;
        let before = floats.len();
        decode(kind, &chunk, &mut raw, &mut floats);
        if let Some(at) = floats[before..].iter().position(|value| !value.is_finite()) {
            let place = Place::byte(start + done + bytes(at) * kind.size());
            return Err(Error::data(path, place, "the value is not a finite 32-bit number"));
        }
        done += wanted;
    }
    Ok(if matches!(kind, Kind::U8) { Values::Bytes(raw) } else { Values::Floats(floats) })
}

// Values of more than 24 bits are rounded: they become f32 in the end.
fn decode(kind: Kind, chunk: &[u8], raw: &mut Vec<u8>, floats: &mut Vec<f32>) {
    match kind {
        Kind::U8 => raw.extend_from_slice(chunk),
        Kind::I8 => floats.extend(chunk.iter().map(|b| f32::from(i8::from_be_bytes([*b])))),
        Kind::I16 => {
            let (values, _) = chunk.as_chunks();
            floats.extend(values.iter().map(|b| f32::from(i16::from_be_bytes(*b))));
        }
        Kind::I32 => {
            let (values, _) = chunk.as_chunks();
            floats.extend(values.iter().map(|b| i32::from_be_bytes(*b) as f32));
        }
        Kind::F32 => {
            let (values, _) = chunk.as_chunks();
            floats.extend(values.iter().map(|b| f32::from_be_bytes(*b)));
        }
        Kind::F64 => {
            let (values, _) = chunk.as_chunks();
            floats.extend(values.iter().map(|b| f64::from_be_bytes(*b) as f32));
        }
    }
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
