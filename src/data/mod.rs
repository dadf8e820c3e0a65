//! Data files become encoded rows: readers, columns and their types, preprocessing fitted on the
//! training rows, splits.
//!
//! # Formats
//! CSV and TSV (`read/text.rs` says how headers and delimiters are found) and IDX, each also compressed
//! with gzip or zstd; Parquet; Arrow IPC, files and streams; NPY and NPZ (`read/npz.rs` says which columns
//! its arrays are). The first bytes tell, or the name. A pattern such as `part-*.csv` stands for the files
//! that fit it, read as one. Every format has a reader in `read/` that gives some thousands of rows at a
//! time, column by column; the same table is the same data set in each. Labels may be apart, in a file of
//! one column of any format. Integers and decimals that f64 cannot hold are told in the notes.
//!
//! # Column types
//! A column whose cells are all numbers is numeric, one of words for yes and no is boolean. One that
//! holds text is categorical, unless nine in ten of its cells or more are numbers: then the text is an
//! error, named by line and column. Dates are dates on the user's word alone. `data.columns` overrules.
//! Categories and classes are those of the whole training file, sorted: by value when all are numbers,
//! else as text. Numbers that are equal are one class, whatever their spelling. Columns that are
//! constant in the training rows are left out, but for those of a matrix and of an image's pixels.
//!
//! # Missing cells
//! Empty, `NA`, `n/a`, `NaN`, `null`, `?`, or a format's null. Numbers are filled by the median, text
//! becomes a category of its own; `data.missing` overrules. A category that training did not see has all
//! inputs 0.
//!
//! # In memory, or streamed
//! Data that would take more than half of the memory that is free (`memory.rs`), or of which
//! `data.streaming` says so, is read three times over in chunks: for the types of its columns and the
//! targets, for the statistics of the training rows, and to be encoded into temporary files
//! (`streamed.rs`, `spill.rs`). Either way it goes through the same statistics (`statistics.rs`) and the
//! same encoding (`block.rs`), and so to the same bits.
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

mod block;
mod cell;
mod column;
mod encode;
mod encoding;
mod fit;
mod folds;
mod hash;
mod labels;
mod labels_apart;
pub(crate) mod memory;
mod pixels;
mod preprocessing;
mod read;
mod rows;
mod spill;
mod split;
mod statistics;
mod streamed;
mod table;
mod target;
mod weights;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use encoding::{
    DateEncoding, Encoding, MissingCategory, MissingNumber, Quantiles, Scale, Scaler,
};
pub(crate) use encoding::{
    LEAST_PROBABILITY, MIDDLE, MIDDLE_HALF, MIDDLE_SQUARE, SMOOTH_CLIP, TAIL, TAIL_START, Value,
    written_date,
};
pub use folds::Folds;
pub(crate) use pixels::square as square_of_pixels;
pub use preprocessing::{
    Damage, InputColumn, LabelValues, Preprocessing, Target, TargetEncoding, WeightColumn,
};
pub use read::Columns;
pub use rows::Rows;
pub use spill::Spill;
pub(crate) use table::listed;

use crate::config::Config;
use crate::config::data::{DataSettings, Portion};
use crate::error::{Error, Place, Result};
use encode::Wanted;
pub use encode::{Encoded, FeatureFile, Kept, Piece};
use table::Table;

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
    /// The folds of `train`, where it is cross-validated; then there is no `validation`.
    pub folds: Option<Folds>,
    /// What each class counts in training, in their order, above 0; empty where all count 1.
    /// [`Rows::training_weights`] brings them to the rows.
    pub class_weights: Vec<f64>,
    /// SHA-256 over the encoded rows of all sets, their weights and those of the classes, in
    /// hexadecimal.
    pub hash: String,
    /// Neighbouring rows that stay together when the training rows are shuffled; none are shuffled as
    /// one.
    pub chunk_rows: Option<usize>,
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
    if let Some(reason) = streamed::reason(settings)? {
        if settings.folds.is_some() {
            let problem = format!("the data would be streamed ({reason}), which folds cannot be");
            return Err(Error::config("data.folds", problem).with_help(
                "give data.validation instead, or data.streaming = false to hold the rows in memory",
            ));
        }
        return streamed::load(settings, &reason);
    }
    dataset(Table::read(settings)?, settings)
}

/// Reads a training file as [`load`] first does, its columns' types found and its cells parsed, and says
/// how many rows it has: what benchmarks of reading measure.
#[doc(hidden)]
pub fn read_alone(settings: &DataSettings) -> Result<usize> {
    Table::read(settings).map(|table| table.rows)
}

impl Dataset {
    /// Splits and encodes columns in memory, as `config` says, whose `data.train` is not read and
    /// whose `data.target` names one of the columns or several.
    ///
    /// ```
    /// use wgfit::data::Columns;
    /// use wgfit::{Config, Dataset, Trainer};
    ///
    /// let ages: Vec<f64> = (0..200).map(|row| f64::from(row % 50)).collect();
    /// let coats = (0..200).map(|row| if row % 3 == 0 { "long" } else { "short" });
    /// let grown: Vec<f64> = ages.iter().map(|age| 3.0 + age / 2.0).collect();
    /// let columns =
    ///     Columns::new().numbers("age", ages).texts("coat", coats).numbers("weight", grown);
    ///
    /// let config = r#"{ "data": { "train": "memory", "target": "weight" }, "training": { "epochs": 30 } }"#;
    /// let config = Config::parse(config, "my config", &[])?;
    /// let dataset = Dataset::of_columns(&columns, &config)?;
    /// assert_eq!(dataset.train.rows, 160);
    /// let trained = Trainer::new(&config)?.device("cpu").train_on(dataset)?;
    /// assert_eq!(trained.model.preprocessing.inputs(), 3);
    /// # Ok::<(), wgfit::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`load`]; of a config that cannot be used.
    pub fn of_columns(columns: &Columns, config: &Config) -> Result<Self> {
        let settings = config.validate(Path::new("."))?;
        let table = Table::of(&|| columns.reader(), &settings.data, true);
        let loaded = table.and_then(|table| dataset(table, &settings.data));
        loaded.map_err(|error| settings.locate(error))
    }

    /// Whether encoded rows of it are in files.
    pub fn is_streamed(&self) -> bool {
        let sets = [Some(&self.train), self.validation.as_ref(), self.test.as_ref()];
        sets.into_iter().flatten().any(|rows| rows.spill.is_some())
    }

    /// The data set of one fold, from 0: its training rows, and those it is validated on, copied. It was
    /// scaled with the others. None where there is no such fold.
    ///
    /// # Errors
    /// When rows are in a file that cannot be read.
    pub fn fold(&self, fold: usize) -> Result<Option<Self>> {
        let Some(folds) = self.folds.as_ref().filter(|folds| fold < folds.count()) else {
            return Ok(None);
        };
        let some = |rows: Vec<u32>| {
            self.train.some(&rows.into_iter().map(|row| row as usize).collect::<Vec<_>>())
        };
        Ok(Some(Self {
            train: some(folds.trained(fold))?,
            validation: Some(some(folds.validated(fold))?),
            test: self.test.clone(),
            held_out: HeldOut { validation: Vec::new(), test: self.held_out.test.clone() },
            preprocessing: self.preprocessing.clone(),
            folds: None,
            class_weights: self.class_weights.clone(),
            hash: self.hash.clone(),
            chunk_rows: self.chunk_rows,
            notes: Vec::new(),
        }))
    }

    /// The data set in memory: of each set rows at equal distances, as many as have so many encoded
    /// values.
    ///
    /// # Errors
    /// When rows are in a file that cannot be read.
    pub fn sampled(&self, most_values: usize) -> Result<Self> {
        let chosen = |rows: &Rows| -> Vec<usize> {
            let count = rows.rows.min((most_values / rows.width().max(1)).max(1));
            (0..count).map(|at| at * rows.rows / count.max(1)).collect()
        };
        let some = |rows: &Rows| rows.some(&chosen(rows));
        let numbers = |rows: &Option<Rows>, numbers: &[usize]| -> Vec<usize> {
            let chosen = rows.as_ref().map(chosen).unwrap_or_default();
            chosen.iter().filter_map(|row| numbers.get(*row).copied()).collect()
        };
        Ok(Self {
            train: some(&self.train)?,
            validation: self.validation.as_ref().map(some).transpose()?,
            test: self.test.as_ref().map(some).transpose()?,
            held_out: HeldOut {
                validation: numbers(&self.validation, &self.held_out.validation),
                test: numbers(&self.test, &self.held_out.test),
            },
            preprocessing: self.preprocessing.clone(),
            folds: self.folds.as_ref().map(|folds| folds.of(&chosen(&self.train))),
            class_weights: self.class_weights.clone(),
            hash: self.hash.clone(),
            chunk_rows: self.chunk_rows,
            notes: self.notes.clone(),
        })
    }
}

fn dataset(mut table: Table, settings: &DataSettings) -> Result<Dataset> {
    let Prepared { resolved, mut notes, names, indices, split } = prepare(&mut table, settings)?;
    let gathered = fit::gather(&table, &split.train, settings)?;
    let targets = fit::Targets { resolved: &resolved, names, indices };
    let preprocessing =
        fit::fit(&mut table, gathered, targets, &split.train, settings, &mut notes)?;
    let encode = |what: &str, rows: &[usize]| {
        let encoded = fit::encode(&table, &resolved.targets, &preprocessing, rows)?;
        weights::check(&table.file, what, &encoded, preprocessing.weight_column())?;
        Ok(encoded)
    };
    let mut held_out = |what: &str, portion: &Portion, labels: &Option<PathBuf>, rows: &[usize]| {
        Ok(match portion {
            Portion::File(file) => {
                let wanted = Wanted::Targets { labels: labels.as_deref(), weights: true };
                let Encoded { rows, notes: own } = encode::read(file, wanted, &preprocessing)?;
                notes.extend(own.into_iter().map(|note| format!("{what}: {note}")));
                Some(rows)
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
    finish([Some(train), validation, test], split, preprocessing, notes, settings)
}

/// What is known when all rows were read and split.
struct Prepared {
    resolved: target::Resolved,
    notes: Vec<String>,
    names: Vec<String>,
    indices: Vec<usize>,
    split: split::Split,
}

fn prepare(table: &mut Table, settings: &DataSettings) -> Result<Prepared> {
    let names = table.targets.iter().map(|target| target.name.clone()).collect();
    let indices = table.targets.iter().filter_map(|target| target.index).collect();
    let resolved = target::resolve(table, settings)?;
    let mut notes = vec![resolved.note.clone()];
    if !table.header && !table.matrix {
        let last = table.columns.saturating_sub(1);
        notes.push(format!("no header: the columns are named by their index, 0 to {last}"));
    }
    notes.extend(table.inexact.iter().map(|(column, value)| {
        format!(
            "column {column:?} holds numbers that 64-bit floats cannot, such as {value}: rounded"
        )
    }));
    let strata = resolved.targets.strata();
    let strata = strata.as_ref().map(|(codes, count)| (codes.as_ref(), *count));
    let split = split::split(&table.file, table.rows, &table.keys, strata, settings)?;
    Ok(Prepared { resolved, notes, names, indices, split })
}

/// Puts the sets together: training, validation, test.
fn finish(
    [train, validation, test]: [Option<Rows>; 3],
    split: split::Split,
    preprocessing: Preprocessing,
    mut notes: Vec<String>,
    settings: &DataSettings,
) -> Result<Dataset> {
    let train = train.ok_or_else(|| Error::internal("there is no training set"))?;
    let split::Split { validation: numbers, test: test_numbers, folds, .. } = split;
    let held_out = HeldOut { validation: numbers, test: test_numbers };
    let class_weights = weights::class_weights(settings, &preprocessing, &train)?;
    notes.extend(weights::note(&class_weights, preprocessing.classes()));
    let hash = hash::hash(&[Some(&train), validation.as_ref(), test.as_ref()], &class_weights);
    let chunk_rows = settings.chunk_rows;
    Ok(Dataset {
        train,
        validation,
        test,
        held_out,
        preprocessing,
        folds,
        class_weights,
        hash,
        chunk_rows,
        notes,
    })
}

/// Reads rows to predict: the raw columns of the training file, without its targets or with
/// them (they are not looked at). Columns go by name where both files have a header, else by
/// position; columns that the model does not know are passed over. The targets are empty.
///
/// # Errors
/// As [`load`]; also a column that is lacking. A category that training did not see is none: it is
/// counted in the notes.
pub fn load_features(file: &Path, preprocessing: &Preprocessing) -> Result<Encoded> {
    encode::read(file, Wanted::Features, preprocessing)
}

/// Encodes columns in memory to predict, as [`load_features`] does with those of a file.
///
/// # Errors
/// Those of [`load_features`].
pub fn encode_columns(columns: &Columns, preprocessing: &Preprocessing) -> Result<Encoded> {
    let reader = columns.reader()?;
    let file = reader.schema().file.clone();
    let mut encoder = encode::Encoder::new(reader, &file, Wanted::Features, preprocessing)?;
    let rows = encoder.all_rows()?;
    Ok(Encoded { rows, notes: encoder.notes() })
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
) -> Result<Encoded> {
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
