//! Data files become encoded rows: readers, columns and their types, preprocessing fitted on the
//! training rows, splits.
//!
//! # Formats
//! CSV and TSV (`text.rs` says how headers and delimiters are found) and IDX, each also gzipped.
//!
//! # Column types
//! A column whose cells are all numbers is numeric. One that holds text is categorical, unless
//! nine in ten of its cells or more are numbers: then the text is an error, named by line and
//! column. `data.columns` overrules. Missing values are errors. Categories and classes are those
//! of the whole training file, sorted: by value when all are numbers, else as text. Numbers that
//! are equal are one class, whatever their spelling.
//!
//! # Task
//! Text: binary for two classes, classification for more. Numbers: binary for two different ones,
//! classification for whole numbers of at most 100 different ones with ten rows each, else
//! regression. Several targets: regression.

mod cell;
mod column;
mod encode;
mod fit;
mod idx;
mod labels;
mod preprocessing;
mod source;
mod split;
mod table;
mod target;
mod text;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use preprocessing::{
    Damage, Encoding, InputColumn, Preprocessing, Scale, Target, TargetEncoding,
};

use crate::config::data::{DataSettings, Portion};
use crate::error::{Error, Place, Result};
use encode::Wanted;
use table::Table;
use target::Targets;

/// Encoded rows of one set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// The number of rows.
    pub rows: usize,
    /// `[rows, inputs]`, row-major: scaled numbers, and 0 or 1 for categories.
    pub features: Vec<f32>,
    /// [rows, target width], row-major: a class index, or scaled numbers for regression. Empty
    /// for rows that are only predicted.
    pub targets: Vec<f32>,
}

/// All that a training run takes from the user's files.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Rows to train on, in file order.
    pub train: Rows,
    /// Rows to validate on, if any, in file order.
    pub validation: Option<Rows>,
    /// Rows held back to the end, if any, in file order.
    pub test: Option<Rows>,
    /// Fitted on the training rows.
    pub preprocessing: Preprocessing,
    /// SHA-256 over the encoded rows of all sets, in hexadecimal.
    pub hash: String,
    /// Remarks to show, a line each.
    pub notes: Vec<String>,
}

/// Reads, splits and encodes the data of a training run.
///
/// # Errors
/// [`Error::Config`] when a column or a task of the settings does not fit the file;
/// [`Error::Data`] when a file holds what cannot be used, with its line and column or its byte;
/// [`Error::Io`] when it cannot be read.
pub fn load(settings: &DataSettings) -> Result<Dataset> {
    let mut table = Table::read(settings)?;
    let names = table.targets.iter().map(|target| target.name.clone()).collect();
    let indices = table.targets.iter().filter_map(|target| target.index).collect();
    let resolved = target::resolve(&mut table, settings)?;
    let mut notes = vec![resolved.note.clone()];
    if !table.header && table.matrix.is_none() {
        let last = table.columns.saturating_sub(1);
        notes.push(format!("no header: the columns are named by their index, 0 to {last}"));
    }
    let classes = match &resolved.targets {
        Targets::Classes { classes, codes } => Some((codes.as_slice(), classes.len())),
        Targets::Numbers(_) => None,
    };
    let split = split::split(&table.file, table.rows, classes, settings)?;
    let preprocessing =
        fit::fit(&mut table, &resolved, names, indices, &split.train, settings, &mut notes)?;
    let encode = |rows: &[usize]| fit::encode(&table, &resolved.targets, &preprocessing, rows);
    let held_out = |portion: &Portion, labels: &Option<PathBuf>, rows: &[usize]| match portion {
        Portion::File(file) => load_rows(file, labels.as_deref(), &preprocessing).map(Some),
        Portion::Share(_) if rows.is_empty() => Ok(None),
        Portion::Share(_) => encode(rows).map(Some),
    };
    let train = encode(&split.train)?;
    let validation =
        held_out(&settings.validation, &settings.validation_labels, &split.validation)?;
    let test = held_out(&settings.test, &settings.test_labels, &split.test)?;
    drop(table);
    let hash = hash(&[Some(&train), validation.as_ref(), test.as_ref()]);
    Ok(Dataset { train, validation, test, preprocessing, hash, notes })
}

/// Reads rows to predict: the raw columns of the training file, without its targets or with
/// them (they are not looked at). Columns go by name where both files have a header, else by
/// position; columns that the model does not know are passed over. The targets are empty.
///
/// # Errors
/// As [`load`]; also a column that is lacking, or a category that training did not see.
pub fn load_features(file: &Path, preprocessing: &Preprocessing) -> Result<Rows> {
    encode::read(file, Wanted::Features, preprocessing)
}

/// Reads rows with their targets, to score: out of the file's target columns, or out of a file
/// of `labels`.
///
/// # Errors
/// As [`load_features`]; also a target that is lacking, or a class that training did not see.
pub fn load_rows(
    file: &Path,
    labels: Option<&Path>,
    preprocessing: &Preprocessing,
) -> Result<Rows> {
    encode::read(file, Wanted::Targets(labels), preprocessing)
}

/// Room for `[rows, width]` encoded values.
fn reserve(file: &Path, rows: usize, width: usize) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    let reserved = rows.checked_mul(width).map(|count| values.try_reserve_exact(count).is_ok());
    if reserved != Some(true) {
        let problem = format!("{rows} rows of {width} encoded values do not fit in memory");
        return Err(Error::data(file, Place::default(), problem));
    }
    Ok(values)
}

fn hash(sets: &[Option<&Rows>]) -> String {
    let mut hasher = Sha256::new();
    let mut buffer = Vec::new();
    for set in sets {
        let empty = Rows::default();
        let set = set.unwrap_or(&empty);
        for count in [set.rows, set.features.len(), set.targets.len()] {
            hasher.update((count as u64).to_le_bytes());
        }
        for values in [&set.features, &set.targets] {
            for chunk in values.chunks(1 << 14) {
                buffer.clear();
                buffer.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
                hasher.update(&buffer);
            }
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
