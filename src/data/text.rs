//! Reading CSV and TSV, record by record, each field checked before anyone sees it.
//!
//! # Header or none
//! The first record is a header when one of its fields is a column name that the caller knows
//! (a target, a column of the model) and that is not a number; else when none of its fields is a
//! number, all of them differ, and the record below it holds a number. Without a header the
//! columns are named by their index: `0`, `1`, ...
//!
//! # Delimiter
//! A tab for .tsv; else the first of comma, semicolon, tab that the first line holds.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use super::cell::is_number;
use super::source::{Source, read_error};
use crate::error::{Error, Place, Result};

/// The most bytes that one record may have, so that an unclosed quote cannot eat the memory.
const LONGEST_RECORD: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };
/// The most columns.
const MOST_COLUMNS: usize = 1_000_000;

/// A delimited text file, read forward.
pub(super) struct TextFile {
    path: PathBuf,
    reader: Reader<Guard>,
    budget: Rc<Cell<u64>>,
    /// Whether the first record named the columns.
    pub(super) header: bool,
    /// Every column's name.
    pub(super) names: Vec<String>,
    /// The first record's fields, whether header or data.
    pub(super) first: Vec<String>,
    waiting: std::vec::IntoIter<(u64, ByteRecord)>,
    record: ByteRecord,
    line: u64,
}

/// One checked record.
pub(super) struct Record<'a> {
    /// The line that it starts on, from 1.
    pub(super) line: u64,
    record: &'a ByteRecord,
    text: &'a str,
}

impl<'a> Record<'a> {
    /// A field without the blanks around it.
    pub(super) fn field(&self, index: usize) -> &'a str {
        let range = self.record.range(index).unwrap_or_default();
        self.text.get(range).unwrap_or_default().trim()
    }
}

impl TextFile {
    /// Opens a file and finds out whether it has a header. `known` are names that a header of it
    /// would hold.
    pub(super) fn open(path: &Path, known: &[&str]) -> Result<Self> {
        let Source { reader, head } = Source::open(path)?;
        let budget = Rc::new(Cell::new(LONGEST_RECORD));
        let guard = Guard { reader, budget: Rc::clone(&budget), last: b'\n', ended: false };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter(path, &head))
            // The reader passes over a byte order mark. Lone line feeds end records, so that lines can be counted; the carriage return
            // before one goes with the blanks.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(guard);
        let mut file = Self {
            path: path.to_owned(),
            reader,
            budget,
            header: false,
            names: Vec::new(),
            first: Vec::new(),
            waiting: Vec::new().into_iter(),
            record: ByteRecord::new(),
            line: 1,
        };
        file.begin(known)?;
        Ok(file)
    }

    fn begin(&mut self, known: &[&str]) -> Result<()> {
        let mut waiting = Vec::new();
        while waiting.len() < 2
            && let Some(line) = self.advance()?
        {
            waiting.push((line, self.record.clone()));
        }
        let Some((line, record)) = waiting.first() else {
            return Err(Error::data(&self.path, Place::default(), "the file is empty"));
        };
        if record.len() > MOST_COLUMNS {
            let problem = format!("{} columns, and {MOST_COLUMNS} is the most", record.len());
            return Err(Error::data(&self.path, Place::line(*line), problem));
        }
        self.names = (0..record.len()).map(|index| index.to_string()).collect();
        let first = checked(&self.path, &self.names, *line, record)?;
        self.first = (0..record.len()).map(|index| first.field(index).to_owned()).collect();
        let second = match waiting.get(1) {
            Some((line, record)) => Some(checked(&self.path, &self.names, *line, record)?),
            None => None,
        };
        let below = |index| second.as_ref().is_some_and(|second| is_number(second.field(index)));
        self.header = is_header(&self.first, known, below);
        if self.header {
            self.name_columns(*line)?;
            waiting.remove(0);
        }
        self.waiting = waiting.into_iter();
        Ok(())
    }

    fn name_columns(&mut self, line: u64) -> Result<()> {
        let mut seen = HashMap::new();
        for (index, name) in self.first.iter().enumerate() {
            if !name.is_empty() {
                self.names[index].clone_from(name);
            }
            if let Some(before) = seen.insert(self.names[index].clone(), index) {
                let problem = format!(
                    "two columns have this name, number {} and number {}",
                    before + 1,
                    index + 1
                );
                let place = Place::field(line, &self.names[index]);
                return Err(Error::data(&self.path, place, problem).with_help("rename one"));
            }
        }
        Ok(())
    }

    /// The next record, or none at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        let line = if let Some((line, record)) = self.waiting.next() {
            self.record = record;
            line
        } else if let Some(line) = self.advance()? {
            line
        } else {
            return Ok(None);
        };
        checked(&self.path, &self.names, line, &self.record).map(Some)
    }

    /// Reads a record that is not blank and gives the line that it starts on.
    fn advance(&mut self) -> Result<Option<u64>> {
        loop {
            self.budget.set(LONGEST_RECORD);
            let more = match self.reader.read_byte_record(&mut self.record) {
                Ok(more) => more,
                Err(error) => return Err(self.failed(error)),
            };
            if !more {
                return Ok(None);
            }
            // The record ends with the line before the reader's, and holds these line feeds.
            let inner = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count();
            let inner = u64::try_from(inner).unwrap_or(u64::MAX);
            let end = self.reader.position().line();
            let line = end.saturating_sub(inner.saturating_add(1)).max(self.line);
            self.line = end;
            if self.record.len() > 1 || !self.record.as_slice().trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    fn failed(&self, error: csv::Error) -> Error {
        if self.budget.get() == 0 {
            let problem = format!("a record of more than {} MiB starts here", LONGEST_RECORD >> 20);
            return Error::data(&self.path, Place::line(self.line), problem)
                .with_help("is a quote left open?");
        }
        match error.into_kind() {
            csv::ErrorKind::Io(error) => read_error(&self.path, error),
            other => {
                let problem = format!("not readable as CSV: {other:?}");
                Error::data(&self.path, Place::line(self.line), problem)
            }
        }
    }
}

/// Checks the number of fields, NUL bytes and UTF-8.
fn checked<'a>(
    path: &Path,
    names: &[String],
    line: u64,
    record: &'a ByteRecord,
) -> Result<Record<'a>> {
    let bytes = record.as_slice();
    if record.len() != names.len() {
        let problem = format!("expected {} fields, found {}", names.len(), record.len());
        let error = Error::data(path, Place::line(line), problem);
        return Err(if bytes.contains(&b'\n') {
            error.with_help("a quoted field goes over several lines here: is a quote left open?")
        } else {
            error.with_help("every row needs as many fields as the first one")
        });
    }
    if let (Some(column), _) | (None, Some(column)) = faults(record) {
        let what = if record.get(column).is_some_and(|field| field.contains(&0)) {
            "a NUL byte: the file is not plain text"
        } else {
            "not UTF-8"
        };
        let error = Error::data(path, Place::field(line, &names[column]), what);
        return Err(error.with_help("save the file as UTF-8 text"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::data(path, Place::line(line), "not UTF-8"))?;
    Ok(Record { line, record, text })
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

fn is_header(first: &[String], known: &[&str], below: impl Fn(usize) -> bool) -> bool {
    if known.iter().any(|name| !is_number(name) && first.iter().any(|field| field == name)) {
        return true;
    }
    let mut seen = std::collections::HashSet::new();
    first.iter().all(|field| !is_number(field) && seen.insert(field.as_str()))
        && (0..first.len()).any(below)
}

fn delimiter(path: &Path, head: &[u8]) -> u8 {
    let name = path.to_string_lossy().to_lowercase();
    if name.ends_with(".tsv") || name.ends_with(".tsv.gz") {
        return b'\t';
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|candidate| line.contains(candidate)).unwrap_or(b',')
}

/// Ends the last line when the file does not, and stops at records that have no end.
struct Guard {
    reader: Box<dyn Read>,
    budget: Rc<Cell<u64>>,
    last: u8,
    ended: bool,
}

impl Read for Guard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.budget.get() == 0 {
            return Err(io::Error::other("record too long"));
        }
        let read = self.reader.read(buffer)?;
        if read == 0 {
            self.ended = true;
            if self.last == b'\n' {
                return Ok(0);
            }
            buffer[0] = b'\n';
            return Ok(1);
        }
        self.last = buffer[read - 1];
        self.budget.set(self.budget.get().saturating_sub(u64::try_from(read).unwrap_or(u64::MAX)));
        Ok(read)
    }
}
