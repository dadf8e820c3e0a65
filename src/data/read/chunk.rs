//! Rows as they are read: some thousands of them, column by column.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Place;

/// What a format says of a column's cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) enum Kind {
    /// Text of which nothing is known: cells may be numbers, dates, anything.
    Unknown,
    /// Numbers.
    Number,
    /// Yes and no, read as 1 and 0.
    Boolean,
    /// Dates or times, read as seconds since 1970-01-01 (UTC).
    Date,
    /// Nothing that a network can take; the reason as a phrase, such as "a list in each row".
    Unusable(String),
}

impl fmt::Display for Kind {
    /// In a sentence such as "it holds numbers".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "text",
            Self::Number => "numbers",
            Self::Boolean => "booleans",
            Self::Date => "dates",
            Self::Unusable(what) => what,
        })
    }
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct SchemaColumn {
    /// Its name, or its index from 0 as text where there is no header.
    pub(in crate::data) name: String,
    /// What its cells are.
    pub(in crate::data) kind: Kind,
}

/// What is known of a file before its rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct Schema {
    /// The file, for messages; the first of several.
    pub(in crate::data) file: PathBuf,
    /// Whether the file names its columns.
    pub(in crate::data) header: bool,
    /// Its columns.
    pub(in crate::data) columns: Vec<SchemaColumn>,
    /// The fields of a text file's first record, whether header or data.
    pub(in crate::data) first: Vec<String>,
    /// The number of rows, where the format says it.
    pub(in crate::data) rows: Option<u64>,
    /// Whether it is a matrix of numbers, whose width is the user's, rather than a table.
    pub(in crate::data) matrix: bool,
}

/// Where the rows of a chunk stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) enum Places {
    /// The line that each row begins on, from 1.
    Lines(Vec<u64>),
    /// The number of the first row, from 0; the others follow it.
    Rows(u64),
}

/// Rows, column by column.
#[derive(Debug, Clone)]
pub(in crate::data) struct Chunk {
    /// The file that they are from.
    pub(in crate::data) file: Arc<Path>,
    /// Rows.
    pub(in crate::data) rows: usize,
    /// Where they stand in it.
    pub(in crate::data) places: Places,
    /// One a column of the file.
    pub(in crate::data) columns: Vec<Cells>,
}

impl Chunk {
    /// Where a cell of a row stands; of the whole row without a column.
    pub(in crate::data) fn place(&self, row: usize, column: Option<&str>) -> Place {
        let column = column.map(str::to_owned);
        let offset = u64::try_from(row).unwrap_or(u64::MAX);
        match &self.places {
            Places::Lines(lines) => {
                Place { line: lines.get(row).copied(), column, ..Place::default() }
            }
            Places::Rows(first) => {
                Place { row: Some(first.saturating_add(offset)), column, ..Place::default() }
            }
        }
    }
}

/// One column's cells.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Cells {
    /// Not kept.
    Skipped,
    /// Fields without the blanks around them; an empty one is a missing value.
    Text(Texts),
    /// Numbers; "not a number" is a missing value.
    Numbers(Numbers),
}

/// Parts of one text, which the texts of other columns may share.
#[derive(Debug, Clone, Default)]
pub(in crate::data) struct Texts {
    whole: Arc<String>,
    /// Where each text begins and ends.
    spans: Vec<(u32, u32)>,
    /// Of each row the index of its span, where texts that are alike share one.
    rows: Option<Vec<u32>>,
}

impl Texts {
    /// The parts of a text at these spans.
    pub(super) fn new(whole: Arc<String>, spans: Vec<(u32, u32)>) -> Self {
        Self { whole, spans, rows: None }
    }

    /// Puts texts one behind the other; none where they take more than 4 GiB.
    pub(in crate::data) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut whole = String::new();
        let mut spans = Vec::with_capacity(texts.size_hint().0);
        let mut start = 0;
        for text in texts {
            whole.push_str(text);
            let end = u32::try_from(whole.len()).ok()?;
            spans.push((start, end));
            start = end;
        }
        Some(Self { whole: Arc::new(whole), spans, rows: None })
    }

    /// Rows that share these texts: `rows` holds the index of each row's.
    pub(in crate::data) fn shared_by(self, rows: Vec<u32>) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// The texts that rows share, and of each row the index of its own; none where each has its own.
    pub(in crate::data) fn shared(&self) -> Option<(Vec<&str>, &[u32])> {
        let rows = self.rows.as_deref()?;
        Some((self.spans.iter().map(|span| self.at(*span)).collect(), rows))
    }

    /// What is made of each text, once where rows share it.
    pub(in crate::data) fn map<T: Copy>(&self, of: impl Fn(&str) -> T) -> Vec<T> {
        let made = self.spans.iter().map(|span| of(self.at(*span))).collect::<Vec<T>>();
        match &self.rows {
            None => made,
            Some(rows) => rows.iter().map(|row| made[*row as usize]).collect(),
        }
    }

    /// The number of texts.
    pub(in crate::data) fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.spans.len(), Vec::len)
    }

    /// One of them.
    pub(in crate::data) fn get(&self, at: usize) -> Option<&str> {
        let span = match &self.rows {
            None => at,
            Some(rows) => usize::try_from(*rows.get(at)?).ok()?,
        };
        self.spans.get(span).map(|span| self.at(*span))
    }

    /// The texts in order.
    pub(in crate::data) fn iter(&self) -> impl Iterator<Item = &str> {
        // One of the two is empty.
        let own = if self.rows.is_none() { self.spans.as_slice() } else { &[] };
        let shared = self.rows.iter().flatten();
        let shared = shared.filter_map(|row| self.spans.get(usize::try_from(*row).ok()?));
        own.iter().chain(shared).map(|span| self.at(*span))
    }

    /// Those of more than so many bytes.
    pub(super) fn longer_than(&self, bytes: u32) -> impl Iterator<Item = &str> {
        let long = self.spans.iter().filter(move |(start, end)| end - start > bytes);
        long.map(|span| self.at(*span))
    }

    fn at(&self, (start, end): (u32, u32)) -> &str {
        self.whole.get(start as usize..end as usize).unwrap_or_default()
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Numbers, as narrow as the file has them.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Numbers {
    /// Bytes, none missing.
    U8(Vec<u8>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
}

impl Numbers {
    /// How many there are.
    pub(in crate::data) fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// The first missing one.
    pub(in crate::data) fn first_missing(&self) -> Option<usize> {
        match self {
            Self::U8(_) => None,
            Self::F32(values) => values.iter().position(|value| value.is_nan()),
            Self::F64(values) => values.iter().position(|value| value.is_nan()),
        }
    }

    /// How many are missing.
    pub(in crate::data) fn missing(&self) -> usize {
        match self {
            Self::U8(_) => 0,
            Self::F32(values) => values.iter().filter(|value| value.is_nan()).count(),
            Self::F64(values) => values.iter().filter(|value| value.is_nan()).count(),
        }
    }

    /// All of them, widened.
    pub(in crate::data) fn into_reals(self) -> Vec<f64> {
        match self {
            Self::U8(values) => values.into_iter().map(f64::from).collect(),
            Self::F32(values) => values.into_iter().map(f64::from).collect(),
            Self::F64(values) => values,
        }
    }

    /// Appends others, widened where the two differ.
    pub(in crate::data) fn extend(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::U8(own), Self::U8(other)) => own.extend_from_slice(other),
            (Self::F32(own), Self::F32(other)) => own.extend_from_slice(other),
            (Self::F64(own), Self::F64(other)) => own.extend_from_slice(other),
            (_, other) => {
                let mut own = std::mem::replace(self, Self::U8(Vec::new())).into_reals();
                own.extend((0..other.len()).filter_map(|row| other.get(row)));
                *self = Self::F64(own);
            }
        }
    }

    /// One of them.
    pub(in crate::data) fn get(&self, row: usize) -> Option<f64> {
        match self {
            Self::U8(values) => values.get(row).map(|value| f64::from(*value)),
            Self::F32(values) => values.get(row).map(|value| f64::from(*value)),
            Self::F64(values) => values.get(row).copied(),
        }
    }
}
