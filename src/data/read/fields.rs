//! Blocks of text split into fields, column by column.

use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use memchr::{memchr, memchr2_iter};

use super::blocks::Block;
use super::{Cells, Chunk, Places, Schema, Texts};
use crate::error::{Error, Place, Result};

/// How fields are told apart, and which are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Splitter<'a> {
    /// The file.
    pub(super) file: &'a Arc<Path>,
    /// Its columns.
    pub(super) schema: &'a Schema,
    /// What stands between two fields.
    pub(super) delimiter: u8,
    /// Whether each column is kept.
    pub(super) wanted: &'a [bool],
}

/// Where the fields of each column kept stand in a text.
struct Spans {
    of_column: Vec<Option<Vec<(u32, u32)>>>,
    lines: Vec<u64>,
}

impl Splitter<'_> {
    /// A block as a chunk of rows, which may have none, and for each column kept the first integer
    /// that a 64-bit float cannot hold.
    ///
    /// # Errors
    /// When a record has more fields or fewer than there are columns, or is not plain text.
    pub(super) fn split(&self, block: Block) -> Result<(Chunk, Vec<(usize, String)>)> {
        let chunk = self.split_block(block)?;
        let lost = chunk.columns.iter().enumerate().filter_map(|(column, cells)| match cells {
            // All integers of 15 digits are exact.
            Cells::Text(texts) => {
                Some((column, texts.longer_than(15).find(|text| is_lost(text))?.to_owned()))
            }
            _ => None,
        });
        let lost = lost.collect();
        Ok((chunk, lost))
    }

    fn split_block(&self, block: Block) -> Result<Chunk> {
        let plain = memchr(b'"', &block.bytes).is_none() && memchr(0, &block.bytes).is_none();
        let line = block.line;
        let text = match String::from_utf8(block.bytes) {
            Ok(text) if plain => return self.split_plain(line, text),
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        self.split_quoted(line, &text)
    }

    fn spans(&self, bytes: usize) -> Spans {
        // Two bytes a field are as few as there may be.
        let rows = bytes / (16 * self.wanted.len()).max(1);
        let spans = |wanted: &bool| wanted.then(|| Vec::with_capacity(rows));
        Spans { of_column: self.wanted.iter().map(spans).collect(), lines: Vec::new() }
    }

    /// Text in which delimiters and line feeds are nothing else.
    fn split_plain(&self, first_line: u64, text: String) -> Result<Chunk> {
        let mut spans = self.spans(text.len());
        let columns = self.wanted.len();
        let bytes = text.as_bytes();
        let (mut line, mut column, mut start) = (first_line, 0, 0);
        for end in memchr2_iter(self.delimiter, b'\n', bytes) {
            let ends_record = bytes[end] == b'\n';
            if ends_record && column == 0 && bytes[start..end].trim_ascii().is_empty() {
                (line, start) = (line + 1, end + 1);
                continue;
            }
            if let Some(Some(of_column)) = spans.of_column.get_mut(column) {
                of_column.push(trimmed(&text, start, end));
            }
            (column, start) = (column + 1, end + 1);
            if ends_record {
                if column != columns {
                    return Err(self.ragged(line, column, false));
                }
                spans.lines.push(line);
                (line, column) = (line + 1, 0);
            }
        }
        Ok(self.chunk(text, spans))
    }

    /// Text with quotes, or with what is no text.
    fn split_quoted(&self, first_line: u64, bytes: &[u8]) -> Result<Chunk> {
        let mut spans = self.spans(bytes.len());
        let mut text = String::with_capacity(bytes.len());
        let mut records = Records::new(first_line, bytes, self.delimiter);
        while let Some(line) = records.advance().map_err(|error| self.unreadable(error))? {
            let start = text.len();
            text.push_str(self.checked(line, &records.record)?);
            for (column, of_column) in spans.of_column.iter_mut().enumerate() {
                if let Some(of_column) = of_column {
                    let field = records.record.range(column).unwrap_or_default();
                    of_column.push(trimmed(&text, start + field.start, start + field.end));
                }
            }
            spans.lines.push(line);
        }
        Ok(self.chunk(text, spans))
    }

    fn chunk(&self, text: String, spans: Spans) -> Chunk {
        let text = Arc::new(text);
        let texts = |spans| Cells::Text(Texts::new(Arc::clone(&text), spans));
        let columns = spans.of_column.into_iter().map(|spans| spans.map_or(Cells::Skipped, texts));
        Chunk {
            file: Arc::clone(self.file),
            rows: spans.lines.len(),
            columns: columns.collect(),
            places: Places::Lines(spans.lines),
        }
    }

    /// The text of a record: its fields, one behind the other. Checks their number, NUL bytes and
    /// UTF-8.
    pub(super) fn checked<'r>(&self, line: u64, record: &'r ByteRecord) -> Result<&'r str> {
        let bytes = record.as_slice();
        if record.len() != self.wanted.len() {
            return Err(self.ragged(line, record.len(), bytes.contains(&b'\n')));
        }
        if let (Some(column), _) | (None, Some(column)) = faults(record) {
            let what = if record.get(column).is_some_and(|field| field.contains(&0)) {
                "a NUL byte: the file is not plain text"
            } else {
                "not UTF-8"
            };
            let place = Place::field(line, &self.schema.columns[column].name);
            return Err(
                Error::data(self.file, place, what).with_help("save the file as UTF-8 text")
            );
        }
        std::str::from_utf8(bytes)
            .map_err(|_| Error::data(self.file, Place::line(line), "not UTF-8"))
    }

    fn ragged(&self, line: u64, found: usize, over_lines: bool) -> Error {
        let problem = format!("expected {} fields, found {found}", self.wanted.len());
        Error::data(self.file, Place::line(line), problem).with_help(if over_lines {
            "a quoted field goes over several lines here: is a quote left open?"
        } else {
            "every row needs as many fields as the first one"
        })
    }

    fn unreadable(&self, error: csv::Error) -> Error {
        let problem = format!("not readable as CSV: {error}");
        Error::data(self.file, Place::default(), problem)
    }
}

/// The first fields that hold a NUL byte and that are not UTF-8.
fn faults(record: &ByteRecord) -> (Option<usize>, Option<usize>) {
    let bytes = record.as_slice();
    if bytes.is_ascii() && !bytes.contains(&0) {
        return (None, None);
    }
    (
        record.iter().position(|field| field.contains(&0)),
        record.iter().position(|field| std::str::from_utf8(field).is_err()),
    )
}

/// A part of a text without the blanks around it. Blocks are far shorter than 4 GiB.
fn trimmed(text: &str, start: usize, end: usize) -> (u32, u32) {
    let (mut start, mut end) = (start, end);
    let bytes = text.as_bytes();
    // Blanks outside of ASCII begin and end with bytes that are not ASCII either.
    let is_blank = |byte: u8| byte <= b' ' || byte >= 0x7f;
    if start < end && (is_blank(bytes[start]) || is_blank(bytes[end - 1])) {
        let field = &text[start..end];
        start += field.len() - field.trim_start().len();
        end = start + text[start..end].trim_end().len();
    }
    (start as u32, end as u32)
}

/// Whether a text is an integer that a 64-bit float cannot hold.
fn is_lost(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.parse::<i128>().is_ok_and(|exact| exact as f64 as i128 != exact)
}

/// The records of a block one after the other, quotes taken off.
pub(super) struct Records<'a> {
    reader: csv::Reader<&'a [u8]>,
    /// The record read last.
    pub(super) record: ByteRecord,
    first_line: u64,
    line: u64,
}

impl<'a> Records<'a> {
    /// Those of some bytes, which begin on a line.
    pub(super) fn new(first_line: u64, bytes: &'a [u8], delimiter: u8) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            // Lone line feeds end records, so that lines can be counted; the carriage return before
            // one goes with the blanks.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(bytes);
        Self { reader, record: ByteRecord::new(), first_line, line: 1 }
    }

    /// Reads a record that is not blank and gives the line that it starts on.
    pub(super) fn advance(&mut self) -> Result<Option<u64>, csv::Error> {
        while self.reader.read_byte_record(&mut self.record)? {
            // The record ends with the line before the reader's, and holds these line feeds.
            let inner = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            let end = self.reader.position().line();
            let line = end.saturating_sub(inner.saturating_add(1)).max(self.line);
            self.line = end;
            if self.record.len() > 1 || !self.record.as_slice().trim_ascii().is_empty() {
                return Ok(Some(self.first_line + line - 1));
            }
        }
        Ok(None)
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX)
    }
}
