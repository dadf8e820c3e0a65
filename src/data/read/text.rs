//! Reading CSV and TSV, each field checked before anyone sees it.
//!
//! # Header or none
//! The first record is a header when one of its fields is a column name that the caller knows
//! (a target, a column of the model) and that is not a number; else when none of its fields is a
//! number, all of them differ, and the record below it holds a number. Without a header the
//! columns are named by their index: `0`, `1`, ...
//!
//! # Delimiter
//! A tab for .tsv; else the first of comma, semicolon, tab that the first line holds.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::blocks::{Block, Blocks};
use super::fields::{Records, Splitter};
use super::source::Source;
use super::{Chunk, Kind, Reader, Schema, SchemaColumn};
use crate::data::cell::is_number;
use crate::error::{Error, Place, Result};

/// The most columns.
const MOST_COLUMNS: usize = 1_000_000;
/// The most blocks that are split at once, a thread each.
const MOST_AT_ONCE: usize = 16;
/// What some programs begin a file of UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A delimited text file, read forward: while some blocks are split, the next ones are read.
pub(super) struct TextFile {
    path: Arc<Path>,
    schema: Schema,
    delimiter: u8,
    blocks: Blocks,
    /// Read, but not split yet.
    waiting: Vec<Block>,
    /// Split, in order.
    ready: VecDeque<Result<Split>>,
    inexact: Vec<(usize, String)>,
}

/// Rows, and integers among them that a 64-bit float cannot hold.
type Split = (Chunk, Vec<(usize, String)>);

impl TextFile {
    /// Opens a file and finds out whether it has a header. `known` are names that a header of it
    /// would hold.
    pub(super) fn open(path: &Path, known: &[&str]) -> Result<Self> {
        let Source { reader, head } = Source::open(path)?;
        let delimiter = delimiter(path, &head);
        let path: Arc<Path> = path.into();
        let schema = Schema {
            file: path.to_path_buf(),
            header: false,
            columns: Vec::new(),
            first: Vec::new(),
            rows: None,
            matrix: false,
        };
        let blocks = Blocks::new(Arc::clone(&path), reader, delimiter);
        let mut file = Self {
            path,
            schema,
            delimiter,
            blocks,
            waiting: Vec::new(),
            ready: VecDeque::new(),
            inexact: Vec::new(),
        };
        file.begin(known)?;
        Ok(file)
    }

    fn begin(&mut self, known: &[&str]) -> Result<()> {
        let mut head = Block { line: 1, bytes: Vec::new() };
        let mut found = Vec::new();
        let mut first_ends = 0;
        // Two records, or all there are.
        while found.len() < 2
            && let Some(more) = self.blocks.next()?
        {
            let more_bytes = more.bytes.strip_prefix(BYTE_ORDER_MARK).filter(|_| more.line == 1);
            head.bytes.extend_from_slice(more_bytes.unwrap_or(&more.bytes));
            let mut records = Records::new(1, &head.bytes, self.delimiter);
            found.clear();
            while found.len() < 2 {
                let Some(line) = records.advance().map_err(|e| self.unreadable(&e))? else { break };
                found.push((line, records.record.clone()));
                first_ends = if found.len() == 1 { records.bytes() } else { first_ends };
            }
        }
        let Some((line, record)) = found.first() else {
            return Err(Error::data(&self.path, Place::default(), "the file is empty"));
        };
        if record.len() > MOST_COLUMNS {
            let problem = format!("{} columns, and {MOST_COLUMNS} is the most", record.len());
            return Err(Error::data(&self.path, Place::line(*line), problem));
        }
        let column = |index: usize| SchemaColumn { name: index.to_string(), kind: Kind::Unknown };
        self.schema.columns = (0..record.len()).map(column).collect();
        let wanted = vec![false; record.len()];
        let fields = found.iter().map(|(line, record)| {
            let text = self.splitter(&wanted).checked(*line, record)?;
            let field = |at| text.get(record.range(at).unwrap_or_default()).unwrap_or_default();
            Ok((0..record.len()).map(|at| field(at).trim().to_owned()).collect())
        });
        let mut fields: Vec<Vec<String>> = fields.collect::<Result<_>>()?;
        let second = fields.split_off(1).pop();
        self.schema.first = fields.pop().unwrap_or_default();
        let below = |index: usize| second.as_ref().is_some_and(|second| is_number(&second[index]));
        self.schema.header = is_header(&self.schema.first, known, below);
        if self.schema.header {
            self.name_columns(*line)?;
            let rest = head.bytes.split_off(first_ends.min(head.bytes.len()));
            head.line += memchr::memchr_iter(b'\n', &head.bytes).count() as u64;
            head.bytes = rest;
        }
        self.waiting.push(head);
        Ok(())
    }

    fn name_columns(&mut self, line: u64) -> Result<()> {
        let mut seen = HashMap::new();
        let named = self.schema.first.iter().zip(&mut self.schema.columns);
        for (index, (name, column)) in named.enumerate() {
            if !name.is_empty() {
                column.name.clone_from(name);
            }
            if let Some(before) = seen.insert(column.name.clone(), index) {
                let problem = format!(
                    "two columns have this name, number {} and number {}",
                    before + 1,
                    index + 1
                );
                let place = Place::field(line, &column.name);
                return Err(Error::data(&self.path, place, problem).with_help("rename one"));
            }
        }
        Ok(())
    }

    fn splitter<'a>(&'a self, wanted: &'a [bool]) -> Splitter<'a> {
        Splitter { file: &self.path, schema: &self.schema, delimiter: self.delimiter, wanted }
    }

    fn unreadable(&self, error: &csv::Error) -> Error {
        Error::data(&self.path, Place::default(), format!("not readable as CSV: {error}"))
    }

    /// Splits the blocks that wait, and reads the next ones meanwhile.
    fn work(&mut self, wanted: &[bool]) {
        let waiting = std::mem::take(&mut self.waiting);
        let Self { path, schema, delimiter, blocks, .. } = self;
        let splitter = Splitter { file: path, schema, delimiter: *delimiter, wanted };
        let at_once = rayon::current_num_threads().clamp(1, MOST_AT_ONCE);
        let read = || {
            let mut read = Vec::with_capacity(at_once);
            while read.len() < at_once {
                match blocks.next() {
                    Ok(Some(block)) => read.push(block),
                    Ok(None) => break,
                    Err(error) => return (read, Some(error)),
                }
            }
            (read, None)
        };
        let split = || -> Vec<Result<Split>> {
            waiting.into_par_iter().map(|block| splitter.split(block)).collect()
        };
        let (split, (read, failed)) = rayon::join(split, read);
        self.ready.extend(split);
        match failed {
            None => self.waiting = read,
            Some(error) => {
                let last = read.into_iter().map(|block| self.splitter(wanted).split(block));
                let last: Vec<_> = last.chain([Err(error)]).collect();
                self.ready.extend(last);
            }
        }
    }
}

impl Reader for TextFile {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn inexact(&self) -> Vec<(usize, String)> {
        self.inexact.clone()
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        loop {
            match self.ready.pop_front() {
                Some(Err(error)) => return Err(error),
                Some(Ok((chunk, _))) if chunk.rows == 0 => {}
                Some(Ok((chunk, lost))) => {
                    let known = |column| self.inexact.iter().any(|(known, _)| *known == column);
                    let new: Vec<_> = lost.into_iter().filter(|(at, _)| !known(*at)).collect();
                    self.inexact.extend(new);
                    return Ok(Some(chunk));
                }
                None if self.waiting.is_empty() => return Ok(None),
                None => self.work(wanted),
            }
        }
    }
}

fn is_header(first: &[String], known: &[&str], below: impl Fn(usize) -> bool) -> bool {
    if known.iter().any(|name| !is_number(name) && first.iter().any(|field| field == name)) {
        return true;
    }
    let mut seen = HashSet::new();
    first.iter().all(|field| !is_number(field) && seen.insert(field.as_str()))
        && (0..first.len()).any(below)
}

fn delimiter(path: &Path, head: &[u8]) -> u8 {
    let name = path.to_string_lossy().to_lowercase();
    if [".tsv", ".tsv.gz", ".tsv.zst"].iter().any(|end| name.ends_with(end)) {
        return b'\t';
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|candidate| line.contains(candidate)).unwrap_or(b',')
}
