//! Columns while a training file is read: cells go in, a compact column comes out, and its type
//! is found on the way (`builder.rs`).

mod builder;
mod dictionary;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::read::{Chunk, Kind, Numbers};
use crate::error::{Error, Place};

pub(super) use builder::Builder;

/// The most categories, and the most classes.
pub(super) const MOST_LABELS: usize = 10_000;

/// The code of a missing cell.
pub(super) const MISSING: u32 = u32::MAX;

/// The code of a cell whose category training did not see: beyond those of all categories.
pub(super) const UNSEEN: u32 = MISSING - 1;

/// What is known of a column before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Not looked at.
    Ignore,
    /// Numbers, on the user's word.
    Numeric,
    /// Yes or no, on the user's word.
    Boolean,
    /// Dates, on the user's word.
    Date,
    /// Categories, on the user's word (`stated`) or since a first reading found numbers and text.
    Categorical {
        /// Whether it is the user's word.
        stated: bool,
    },
    /// To be found.
    Auto,
    /// A target.
    Target,
    /// A target that holds a class's probability.
    Probability,
    /// The rows' weights.
    Weight,
}

/// Values as small numbers: the distinct texts in order of appearance, and each row's.
#[derive(Debug, Clone, Default)]
pub(super) struct Coded {
    /// Each row's index in `texts`, or [`MISSING`].
    pub(super) codes: Vec<u32>,
    /// The distinct texts.
    pub(super) texts: Vec<String>,
}

/// A target column: as numbers when every cell is one, and as codes unless there are too many
/// distinct texts to be classes.
#[derive(Debug, Clone)]
pub(super) struct TargetValues {
    /// The numbers, one a row.
    pub(super) numbers: Option<Vec<f64>>,
    /// The distinct texts.
    pub(super) coded: Option<Coded>,
    /// The share of cells that are numbers is large enough to call a text an error.
    pub(super) mostly_numbers: bool,
    /// The first cell that is not a number.
    pub(super) first_text: Option<Found>,
}

/// A cell and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The file.
    pub(super) file: PathBuf,
    /// Where in it.
    pub(super) place: Place,
    /// What the cell holds.
    pub(super) text: String,
}

impl Found {
    fn in_chunk(chunk: &Chunk, row: usize, column: &str, text: &str) -> Self {
        let place = chunk.place(row, Some(column));
        Self { file: chunk.file.to_path_buf(), place, text: text.to_owned() }
    }

    /// The error of that cell.
    pub(super) fn error(self, problem: String) -> Error {
        Error::data(&self.file, self.place, problem)
    }
}

/// A column read.
#[derive(Debug, Clone)]
pub(super) enum Column {
    /// Not kept.
    Ignored,
    /// Numbers, one a row, `NaN` where it is missing.
    Numbers(Numbers),
    /// Truth values, 1 or 0, `NaN` where one is missing.
    Booleans(Vec<f64>),
    /// Seconds since the beginning of 1970, `NaN` where a date is missing.
    Dates(Vec<f64>),
    /// Categories.
    Categories(Coded),
    /// A target.
    Target(TargetValues),
    /// The rows' weights.
    Weights(Vec<f64>),
    /// Numbers and text: to be read once more, as categories.
    Mixed,
}

/// A number as text would have it; one that is not there is empty.
pub(super) fn written(number: f64, kind: &Kind) -> String {
    match kind {
        _ if number.is_nan() => String::new(),
        Kind::Boolean => (if number != 0.0 { "true" } else { "false" }).to_owned(),
        _ => number.to_string(),
    }
}
