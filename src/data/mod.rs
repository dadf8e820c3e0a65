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
//! regression. Several targets: regression; on the user's word alone they are the probabilities
//! of as many classes (classification), or labels, each there or not (multilabel).
//!
//! # Weights
//! A column of `"type": "weight"` says what each row counts. `data.class_weights` says it of
//! classes.

mod cell;
mod column;
mod encode;
mod fit;
mod idx;
mod images;
mod labels;
mod preprocessing;
mod source;
mod split;
mod table;
mod target;
mod text;
mod weights;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use preprocessing::{
    Damage, Encoding, InputColumn, LabelValues, Preprocessing, Scale, Target, TargetEncoding,
    WeightColumn,
};

use crate::config::data::{DataSettings, Portion};
use crate::error::{Error, Place, Result};
use encode::Wanted;
use table::Table;

/// Encoded rows of one set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// The number of rows.
    pub rows: usize,
    /// `[rows, inputs]`, row-major: scaled numbers, and 0 or 1 for categories.
    pub features: Vec<f32>,
    /// `[rows, target width]`, row-major: a class index, or a probability for each class, or 0 or
    /// 1 for each label, or scaled numbers for regression. Empty for rows that are only predicted.
    pub targets: Vec<f32>,
    /// `[rows]`: what each row counts, 0 or more and not all 0. Empty where all count 1.
    pub sample_weights: Vec<f32>,
}

/// Rows of the training file that are not trained on, counted from 0, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldOut {
    /// Those of the validation set.
    pub validation: Vec<usize>,
    /// Those of the test set.
    pub test: Vec<usize>,
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
    /// Where in the training file the rows of `validation` and of `test` are, from 0; empty for a set
    /// that is a file of its own.
    pub held_out: HeldOut,
    /// Fitted on the training rows.
    pub preprocessing: Preprocessing,
    /// What each class counts in training, in their order, above 0; empty where all count 1.
    /// [`Rows::training_weights`] brings them to the rows.
    pub class_weights: Vec<f64>,
    /// SHA-256 over the encoded rows of all sets, their weights and those of the classes, in
    /// hexadecimal.
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
    let strata = resolved.targets.strata();
    let strata = strata.as_ref().map(|(codes, count)| (codes.as_ref(), *count));
    let split = split::split(&table.file, table.rows, strata, settings)?;
    let preprocessing =
        fit::fit(&mut table, &resolved, names, indices, &split.train, settings, &mut notes)?;
    let encode = |what: &str, rows: &[usize]| {
        let encoded = fit::encode(&table, &resolved.targets, &preprocessing, rows)?;
        weights::check(&table.file, what, &encoded, preprocessing.weight_column())?;
        Ok(encoded)
    };
    let held_out = |what: &str, portion: &Portion, labels: &Option<PathBuf>, rows: &[usize]| {
        Ok(match portion {
            Portion::File(file) => {
                let wanted = Wanted::Targets { labels: labels.as_deref(), weights: true };
                Some(encode::read(file, wanted, &preprocessing)?)
            }
            Portion::Share(_) if rows.is_empty() => None,
            Portion::Share(_) => Some(encode(what, rows)?),
        })
    };
    let train = encode("training rows", &split.train)?;
    let DataSettings { validation, validation_labels, test, test_labels, .. } = settings;
    let validation = held_out("validation rows", validation, validation_labels, &split.validation)?;
    let test = held_out("test rows", test, test_labels, &split.test)?;
    drop(table);
    let split::Split { validation: validation_rows, test: test_rows, .. } = split;
    let held_out = HeldOut { validation: validation_rows, test: test_rows };
    let class_weights = weights::class_weights(settings, &preprocessing, &train)?;
    notes.extend(weights::note(&class_weights, preprocessing.classes()));
    let hash = hash(&[Some(&train), validation.as_ref(), test.as_ref()], &class_weights);
    Ok(Dataset { train, validation, test, held_out, preprocessing, class_weights, hash, notes })
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
/// of `labels`. Where the training file had a column of weights, the rows have those of the same
/// column, or count alike where the file lacks it.
///
/// # Errors
/// As [`load_features`]; also a target that is lacking, or a class that training did not see.
pub fn load_rows(
    file: &Path,
    labels: Option<&Path>,
    preprocessing: &Preprocessing,
) -> Result<Rows> {
    encode::read(file, Wanted::Targets { labels, weights: false }, preprocessing)
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

fn hash(sets: &[Option<&Rows>], class_weights: &[f64]) -> String {
    let mut hasher = Sha256::new();
    let mut buffer = Vec::new();
    for set in sets {
        let empty = Rows::default();
        let set = set.unwrap_or(&empty);
        let lengths = [&set.features, &set.targets, &set.sample_weights].map(Vec::len);
        for count in std::iter::once(set.rows).chain(lengths) {
            hasher.update((count as u64).to_le_bytes());
        }
        for values in [&set.features, &set.targets, &set.sample_weights] {
            for chunk in values.chunks(1 << 14) {
                buffer.clear();
                buffer.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
                hasher.update(&buffer);
            }
        }
    }
    for weight in class_weights {
        hasher.update(weight.to_le_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
