//! What a Parquet file claims of itself, held against what is there before anything of a size claimed
//! is made: the shape of its schema, what its pages are said to become, and how many texts a page is
//! said to hold. Footer and pages' headers are in Thrift's compact protocol
//! (<https://github.com/apache/parquet-format>, `src/main/thrift/parquet.thrift`).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, copy, sink};
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use crate::data::memory;
use crate::error;

/// What a file in disorder is told to be.
type Problem = String;

const MAGIC: &[u8; 4] = b"PAR1";
/// The deepest nesting, of columns and of what a header holds.
const DEEPEST: usize = 64;
/// Bytes of a page from which on it is asked whether there is memory for it.
const LARGE: u64 = 256 << 20;

/// Thrift's types that are looked for.
const INTEGER: u8 = 5;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

fn said(error: impl std::fmt::Display) -> Problem {
    error.to_string()
}

/// What is read in Thrift's compact protocol, and how many bytes it was.
struct Thrift<R> {
    from: R,
    bytes: u64,
}

impl<R: Read> Thrift<R> {
    fn new(from: R) -> Self {
        Self { from, bytes: 0 }
    }

    fn byte(&mut self) -> Result<u8, Problem> {
        let mut byte = [0];
        self.from.read_exact(&mut byte).map_err(|_| "a header ends within itself")?;
        self.bytes += 1;
        Ok(byte[0])
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Problem> {
        let passed = copy(&mut self.from.by_ref().take(bytes), &mut sink()).map_err(said)?;
        self.bytes += passed;
        if passed == bytes { Ok(()) } else { Err("a header ends within itself".to_owned()) }
    }

    fn unsigned(&mut self) -> Result<u64, Problem> {
        varint(|| self.byte())
    }

    fn signed(&mut self) -> Result<i64, Problem> {
        let folded = self.unsigned()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    /// How many elements a list has, and of what type.
    fn list(&mut self) -> Result<(u64, u8), Problem> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
        Ok((count, head & 15))
    }

    /// Hands each field's number and type to `take`, which says whether it read the value.
    fn fields(
        &mut self,
        depth: usize,
        take: &mut dyn FnMut(&mut Self, i64, u8) -> Result<bool, Problem>,
    ) -> Result<(), Problem> {
        let mut field = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let ahead = i64::from(head >> 4);
            field = if ahead == 0 { self.signed()? } else { field.wrapping_add(ahead) };
            if !take(self, field, head & 15)? {
                self.skip(head & 15, depth)?;
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Problem> {
        if depth > DEEPEST {
            return Err("a header is nested too deep".to_owned());
        }
        match kind {
            // Truth values of fields are their types.
            1 | 2 => Ok(()),
            3 => self.pass(1),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let length = self.unsigned()?;
                self.pass(length)
            }
            LIST | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth + 1))
            }
            11 => {
                let count = self.unsigned()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth + 1)?;
                    self.skip_element(kinds & 15, depth + 1)
                })
            }
            STRUCT => self.fields(depth + 1, &mut |_, _, _| Ok(false)),
            _ => Err(format!("a header has a field of the unknown type {kind}")),
        }
    }

    fn skip_element(&mut self, kind: u8, depth: usize) -> Result<(), Problem> {
        if matches!(kind, 1 | 2) { self.pass(1) } else { self.skip(kind, depth) }
    }
}

/// An unsigned number of seven bits a byte, the lowest first.
fn varint(mut byte: impl FnMut() -> Result<u8, Problem>) -> Result<u64, Problem> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = byte()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err("a number of more than 64 bits".to_owned())
}

/// Checks the schema in a file's footer: each group has as many children as there are, and none is too
/// deep within others.
pub(super) fn footer(mut file: &File) -> Result<(), Problem> {
    let length = file.seek(SeekFrom::End(0)).map_err(said)?;
    let end = length.checked_sub(8).ok_or("it ends within its first bytes")?;
    file.seek(SeekFrom::Start(end)).map_err(said)?;
    let mut tail = [0; 8];
    file.read_exact(&mut tail).map_err(said)?;
    let (size, magic) = tail.split_at(4);
    if magic != MAGIC {
        return Err("it does not end as Parquet does".to_owned());
    }
    let size = size.try_into().map_or(0, u32::from_le_bytes).into();
    let start = end.checked_sub(size).ok_or("its footer is longer than the file")?;
    file.seek(SeekFrom::Start(start)).map_err(said)?;
    let mut footer = Thrift::new(BufReader::new(file.take(size)));
    footer.fields(0, &mut |footer, field, kind| {
        if (field, kind) != (2, LIST) {
            return Ok(false);
        }
        let (count, kind) = footer.list()?;
        if kind != STRUCT {
            return Err("its schema is no list of elements".to_owned());
        }
        schema(footer, count).map(|()| true)
    })
}

/// Checks the elements of a schema, each group's children behind it.
fn schema(footer: &mut Thrift<impl Read>, count: u64) -> Result<(), Problem> {
    // Children of each group that is open which are still to come.
    let mut open: Vec<u64> = vec![1];
    for element in 0..count {
        let mut children = 0;
        footer.fields(0, &mut |footer, field, kind| {
            let found = (field, kind) == (5, INTEGER);
            if found {
                children = footer.signed()?;
            }
            Ok(found)
        })?;
        while open.pop_if(|left| *left == 0).is_some() {}
        match open.last_mut() {
            Some(left) => *left -= 1,
            None => return Err("its schema has more than one root".to_owned()),
        }
        let left = count - element - 1;
        let children = u64::try_from(children).ok().filter(|children| *children <= left);
        let children = children.ok_or("a group of its schema has more children than there are")?;
        if open.len() > DEEPEST {
            return Err("the columns of its schema are nested too deep".to_owned());
        }
        open.push(children);
    }
    Ok(())
}

/// The header of a page, as far as sizes hang on it.
#[derive(Debug, Default)]
struct PageHeader {
    unpacked: i64,
    packed: i64,
    /// Values of a dictionary.
    entries: i64,
    /// Whether its texts are told by their lengths, which are packed.
    has_lengths: bool,
}

impl PageHeader {
    fn read(thrift: &mut Thrift<impl Read>) -> Result<Self, Problem> {
        let mut header = Self::default();
        thrift.fields(0, &mut |thrift, field, kind| {
            match (field, kind) {
                (2, INTEGER) => header.unpacked = thrift.signed()?,
                (3, INTEGER) => header.packed = thrift.signed()?,
                // Of a data page of version 1, of a dictionary, and of a data page of version 2.
                (5 | 7 | 8, STRUCT) => thrift.fields(0, &mut |thrift, own, kind| {
                    match (field, own, kind) {
                        (7, 1, INTEGER) => header.entries = thrift.signed()?,
                        (5, 2, INTEGER) | (8, 4, INTEGER) => {
                            header.has_lengths |= [6, 7].contains(&thrift.signed()?);
                        }
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(header)
    }
}

/// The most bytes that a compressed byte may stand for.
fn growth(compression: Compression) -> u64 {
    match compression {
        Compression::UNCOMPRESSED => 1,
        // A copy of 64 bytes takes three.
        Compression::SNAPPY => 32,
        Compression::LZ4 | Compression::LZ4_RAW => 255,
        Compression::GZIP(_) => 1032,
        // Four bytes of zstd stand for 128 KiB.
        _ => 1 << 15,
    }
}

/// Checks the pages of a column in a group of so many rows.
pub(super) fn column(
    file: &Arc<File>,
    column: &ColumnChunkMetaData,
    rows: usize,
) -> Result<(), Problem> {
    let length = file.metadata().map_err(said)?.len();
    let (start, size) = column.byte_range();
    let end = start.checked_add(size).filter(|end| *end <= length);
    let end = end.ok_or_else(|| {
        format!("{size} bytes of a column are said to be at byte {start} of {length}")
    })?;
    let mut reader = BufReader::with_capacity(1 << 12, file.as_ref());
    let mut at = start;
    let mut has_lengths = false;
    while at < end {
        reader.seek(SeekFrom::Start(at)).map_err(said)?;
        let mut thrift = Thrift::new(reader.by_ref().take(end - at));
        let header = PageHeader::read(&mut thrift)?;
        at += thrift.bytes;
        let negative = |_| format!("a page at byte {at} has a negative size");
        let packed = u64::try_from(header.packed).map_err(negative)?;
        let unpacked = u64::try_from(header.unpacked).map_err(negative)?;
        if packed > end - at {
            return Err(format!("a page at byte {at} goes on after its column"));
        }
        if unpacked / growth(column.compression()) > packed.saturating_add(64) {
            return Err(format!("{packed} bytes of a page are said to become {unpacked}"));
        }
        if unpacked > LARGE && memory::available().is_some_and(|free| unpacked > free) {
            return Err(format!(
                "a page takes {}, and there is no room for it",
                error::size(unpacked)
            ));
        }
        if u64::try_from(header.entries).map_err(negative)? > unpacked {
            let entries = header.entries;
            return Err(format!("{unpacked} bytes are said to hold a dictionary of {entries}"));
        }
        has_lengths |= header.has_lengths;
        at += packed;
    }
    if has_lengths { lengths(file, column, rows) } else { Ok(()) }
}

/// Checks that pages of texts have no more lengths than values.
fn lengths(file: &Arc<File>, column: &ColumnChunkMetaData, rows: usize) -> Result<(), Problem> {
    let levels = column.column_descr();
    let levels = [levels.max_rep_level(), levels.max_def_level()];
    let mut pages =
        SerializedPageReader::new(Arc::clone(file), column, rows, None).map_err(said)?;
    while let Some(page) = pages.get_next_page().map_err(said)? {
        let (encoding, bytes, values, start) = match &page {
            Page::DataPage { buf, encoding, num_values, .. } => {
                let mut start = 0_usize;
                // Levels have their length before them.
                for _ in levels.iter().filter(|most| **most > 0) {
                    let length = buf.get(start..).and_then(|rest| rest.first_chunk());
                    let length = u32::from_le_bytes(*length.ok_or("a page without its levels")?);
                    start = start.saturating_add(4).saturating_add(length as usize);
                }
                (*encoding, buf, *num_values, start)
            }
            Page::DataPageV2 {
                buf,
                encoding,
                num_values,
                def_levels_byte_len: own,
                rep_levels_byte_len: other,
                ..
            } => (*encoding, buf, *num_values, (*own as usize).saturating_add(*other as usize)),
            Page::DictionaryPage { .. } => continue,
        };
        let mut rest = bytes.get(start..).unwrap_or_default();
        match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => drop(packed(&mut rest, values)?),
            // Lengths of what each has in common with the one before, and of what it has not.
            Encoding::DELTA_BYTE_ARRAY => {
                packed(&mut rest, values)?;
                packed(&mut rest, values)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Goes past packed differences (`DELTA_BINARY_PACKED`), which may be as many as there are values.
fn packed(bytes: &mut &[u8], values: u32) -> Result<(), Problem> {
    let short = "a page ends within its lengths";
    let next = |bytes: &mut &[u8]| {
        varint(|| bytes.split_off_first().copied().ok_or_else(|| short.to_owned()))
    };
    let (block, miniblocks, count) = (next(bytes)?, next(bytes)?, next(bytes)?);
    next(bytes)?;
    if count > u64::from(values) {
        return Err(format!("a page of {values} values is said to have {count} lengths"));
    }
    if miniblocks == 0 || block == 0 || block % miniblocks != 0 {
        return Err(format!("blocks of {block} values in {miniblocks} parts"));
    }
    let size = block / miniblocks;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        next(bytes)?;
        let widths = usize::try_from(miniblocks).ok().and_then(|count| bytes.split_off(..count));
        for width in widths.ok_or(short)? {
            if left == 0 {
                break;
            }
            let taken = size.saturating_mul(u64::from(*width)) / 8;
            let taken = usize::try_from(taken).ok().and_then(|taken| bytes.split_off(..taken));
            // Writers may leave out what follows the last value.
            if taken.is_none() && left > size {
                return Err(short.to_owned());
            }
            left = left.saturating_sub(size);
        }
    }
    Ok(())
}
