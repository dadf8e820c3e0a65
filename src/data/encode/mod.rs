//! Encoding a file with preprocessing that is already fitted, row by row as it is read.

pub(super) mod cells;
mod matching;
mod targets;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Rows;
use super::block::{Numbers, Source, encode_rows};
use super::cell::Fault;
use super::encoding::{Met, written_date};
use super::fit::of_cells;
use super::labels::Labels;
use super::preprocessing::{Preprocessing, TargetEncoding};
use super::read::{self, Cells, Chunk, Kind, Reader, Schema};
use super::table::{listed, names, no_rows};
use crate::error::{Error, Place, Result, did_you_mean};
use cells::{Parsed, Parser, field, refusal};

/// Where the targets come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// Nowhere: features alone.
    Features,
    /// Columns of the file, or a file of labels.
    Targets {
        /// The file of labels.
        labels: Option<&'a Path>,
        /// Whether the weights must be there when the training file had them.
        weights: bool,
    },
}

/// Rows of a file, encoded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Encoded {
    /// The rows.
    pub rows: Rows,
    /// Remarks on their cells to show, a line each: what was missing, and what training did not see.
    pub notes: Vec<String>,
}

/// Some rows of a file, encoded, and the columns of them that are kept as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// The rows.
    pub rows: Rows,
    /// The columns kept, in the order asked for.
    pub kept: Vec<Kept>,
}

/// A column kept as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// Numbers; "not a number" where one is missing.
    Numbers(Vec<f64>),
    /// Texts, truth values and dates; empty where one is missing.
    Texts(Vec<String>),
}

/// A file of rows to predict, read piece by piece.
pub struct FeatureFile<'a>(Encoder<'a>);

impl<'a> FeatureFile<'a> {
    /// Opens a file and finds the model's columns in it, as [`super::load_features`] does, and those
    /// to be kept as they are, by name.
    ///
    /// # Errors
    /// Those of [`super::load_features`]; a column to be kept that is not there.
    pub fn open(file: &Path, preprocessing: &'a Preprocessing, kept: &[String]) -> Result<Self> {
        let mut encoder = Encoder::open(file, Wanted::Features, preprocessing)?;
        encoder.keep(kept)?;
        Ok(Self(encoder))
    }

    /// The next rows, some thousands of them; none at the end.
    ///
    /// # Errors
    /// Those of [`super::load_features`].
    pub fn next_piece(&mut self) -> Result<Option<Piece>> {
        self.0.next_piece()
    }

    /// Remarks on the cells read so far, a line each: what was missing, and what training did not
    /// see.
    pub fn notes(&self) -> Vec<String> {
        self.0.notes()
    }
}

impl std::fmt::Debug for FeatureFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FeatureFile").field(&self.0.file).finish()
    }
}

/// Reads and encodes a file.
pub(super) fn read(file: &Path, wanted: Wanted, preprocessing: &Preprocessing) -> Result<Encoded> {
    let mut encoder = Encoder::open(file, wanted, preprocessing)?;
    let mut rows = encoder.all_rows()?;
    if let Wanted::Targets { labels: Some(labels), .. } = wanted {
        rows.targets = encoder.labels(labels, rows.rows)?;
    }
    super::weights::check(file, "rows", &rows, preprocessing.weight_column())?;
    Ok(Encoded { rows, notes: encoder.notes() })
}

/// The names that a header of a file for a model would hold.
pub(super) fn known(preprocessing: &Preprocessing) -> Vec<&str> {
    let Preprocessing { inputs, target, header, weight, .. } = preprocessing;
    let weight = weight.iter().map(|weight| &weight.name);
    let names = inputs.iter().map(|input| &input.name).chain(&target.names).chain(weight);
    names.filter(|_| *header).map(String::as_str).collect()
}

/// Encodes what a reader reads.
pub(super) struct Encoder<'a> {
    file: PathBuf,
    schema: Schema,
    reader: Box<dyn Reader + 'a>,
    preprocessing: &'a Preprocessing,
    matched: Matched,
    /// Whether targets are taken from the file's columns.
    with_targets: bool,
    wanted: Vec<bool>,
    /// Columns that are kept as they are.
    kept: Vec<usize>,
    rows: usize,
    /// What was met in each input column.
    met: Vec<Met>,
    /// Look-up of each categorical input.
    categories: Vec<Option<Labels>>,
    /// Look-up of the classes, or of each label's two values.
    classes: Vec<Labels>,
}

/// Indices of a file's columns.
struct Matched {
    inputs: Vec<usize>,
    targets: Vec<usize>,
    weight: Option<usize>,
}

impl<'a> Encoder<'a> {
    /// Opens a file and finds the model's columns in it.
    pub(super) fn open(
        file: &Path,
        wanted: Wanted,
        preprocessing: &'a Preprocessing,
    ) -> Result<Self> {
        Self::new(read::open(file, &known(preprocessing))?, file, wanted, preprocessing)
    }

    /// Finds the model's columns in what a reader reads.
    pub(super) fn new(
        reader: Box<dyn Reader + 'a>,
        file: &Path,
        wanted: Wanted,
        preprocessing: &'a Preprocessing,
    ) -> Result<Self> {
        let schema = reader.schema().clone();
        let with_targets = matches!(wanted, Wanted::Targets { labels: None, .. });
        if with_targets && preprocessing.target.indices.is_empty() {
            let problem = "the labels are in a file of their own, which is not given";
            return Err(Error::data(file, Place::default(), problem).with_help(
                "give it as well: --labels FILE, or data.validation_labels and the like",
            ));
        }
        let categories =
            preprocessing.inputs.iter().map(|input| input.encoding.categories().map(Labels::new));
        let classes = match &preprocessing.target.encoding {
            TargetEncoding::Classes { classes } => vec![Labels::new(classes)],
            TargetEncoding::Labels { values } => values
                .iter()
                .map(|values| Labels::new(&[values.negative.clone(), values.positive.clone()]))
                .collect(),
            TargetEncoding::Numbers { .. } | TargetEncoding::Distribution => Vec::new(),
        };
        let mut encoder = Self {
            file: file.to_owned(),
            reader,
            preprocessing,
            matched: Matched { inputs: Vec::new(), targets: Vec::new(), weight: None },
            with_targets,
            wanted: vec![false; schema.columns.len()],
            schema,
            kept: Vec::new(),
            rows: 0,
            met: vec![Met::default(); preprocessing.inputs.len()],
            categories: categories.collect(),
            classes,
        };
        encoder.matched = encoder.matching(wanted)?;
        let Matched { inputs, targets, weight } = &encoder.matched;
        let targets = targets.iter().filter(|_| with_targets);
        for column in inputs.iter().chain(targets).chain(weight) {
            encoder.wanted[*column] = true;
        }
        Ok(encoder)
    }

    /// Inputs of an encoded row.
    pub(super) fn inputs(&self) -> usize {
        self.preprocessing.inputs()
    }

    /// Remarks on the cells read, a line each.
    pub(super) fn notes(&self) -> Vec<String> {
        of_cells(&self.preprocessing.inputs, &self.met)
    }

    /// Keeps some of the file's columns as they are, beside the rows.
    pub(super) fn keep(&mut self, columns: &[String]) -> Result<()> {
        let names = names(&self.schema);
        for column in columns {
            let index = names.iter().position(|name| name == column).ok_or_else(|| {
                let near = did_you_mean(column, names.iter().map(String::as_str));
                let near = near.map(|near| format!("is {near:?} meant? ")).unwrap_or_default();
                let problem = format!("no column {column:?}, which is to be copied");
                Error::data(&self.file, Place::default(), problem)
                    .with_help(format!("{near}the file's columns: {}", listed(&names)))
            })?;
            if let Kind::Unusable(what) = &self.schema.columns[index].kind {
                let problem = format!("it holds what cannot be copied: {what}");
                return Err(Error::data(&self.file, Place::column(column), problem));
            }
            self.wanted[index] = true;
            self.kept.push(index);
        }
        Ok(())
    }

    /// Reads and encodes all that is left.
    pub(super) fn all_rows(&mut self) -> Result<Rows> {
        let mut rows = Rows::default();
        while let Some(piece) = self.next_piece()? {
            rows.append(piece.rows);
        }
        Ok(rows)
    }

    /// Reads the next rows and encodes them; none at the end.
    pub(super) fn next_piece(&mut self) -> Result<Option<Piece>> {
        let Some(chunk) = self.reader.next_chunk(&self.wanted)? else {
            return if self.rows == 0 { Err(no_rows(&self.file)) } else { Ok(None) };
        };
        self.rows += chunk.rows;
        let rows: Vec<usize> = (0..chunk.rows).collect();
        let kept = self.kept.iter().map(|column| self.kept_cells(&chunk, *column, &rows));
        let kept = kept.collect();
        Ok(Some(Piece { rows: self.encode(&chunk, &rows)?, kept }))
    }

    fn kept_cells(&self, chunk: &Chunk, column: usize, rows: &[usize]) -> Kept {
        let known = &self.schema.columns[column];
        match &chunk.columns[column] {
            Cells::Numbers(numbers) if known.kind == Kind::Number => Kept::Numbers(
                rows.iter().map(|row| numbers.get(*row).unwrap_or(f64::NAN)).collect(),
            ),
            Cells::Numbers(numbers) if known.kind == Kind::Date => {
                let date = |row: &usize| match numbers.get(*row) {
                    Some(seconds) if !seconds.is_nan() => written_date(seconds),
                    _ => String::new(),
                };
                Kept::Texts(rows.iter().map(date).collect())
            }
            _ => {
                let text = |row: &usize| field(chunk, &self.schema, column, *row);
                Kept::Texts(rows.iter().map(text).collect())
            }
        }
    }

    fn encode(&mut self, chunk: &Chunk, rows: &[usize]) -> Result<Rows> {
        let inputs = &self.preprocessing.inputs;
        let parser = Parser {
            schema: &self.schema,
            preprocessing: self.preprocessing,
            columns: &self.matched.inputs,
            categories: &self.categories,
        };
        let parsed: Vec<Result<Parsed, (usize, usize, Fault)>> = (0..inputs.len())
            .into_par_iter()
            .map(|at| parser.parse(chunk, at).map_err(|(row, fault)| (row, at, fault)))
            .collect();
        let faults = parsed.iter().filter_map(|parsed| parsed.as_ref().err());
        if faults.clone().next().is_some() {
            let first = faults.map(|(row, at, _)| (*row, *at)).min();
            let fault = parsed.into_iter().filter_map(Result::err);
            let fault = fault.into_iter().find(|(row, at, _)| Some((*row, *at)) == first);
            let (row, at, fault) = fault.ok_or_else(|| Error::internal("a fault was lost"))?;
            return Err(self.fault(chunk, row, self.matched.inputs[at], fault));
        }
        let parsed: Vec<Parsed> = parsed.into_iter().filter_map(Result::ok).collect();
        let sources: Vec<Source> = parsed
            .iter()
            .zip(&self.matched.inputs)
            .map(|(parsed, column)| match (parsed, &chunk.columns[*column]) {
                (Parsed::Codes(codes), _) => Source::Codes(codes),
                (Parsed::Numbers(_), Cells::Numbers(numbers)) => {
                    Source::Numbers(Numbers::Compact(numbers))
                }
                (Parsed::Numbers(numbers), _) => Source::Numbers(Numbers::Wide(numbers)),
            })
            .collect();
        let width = self.preprocessing.inputs();
        let mut features = super::reserve(&self.file, rows.len(), width)?;
        features.resize(rows.len() * width, 0.0);
        let (met, refused) = encode_rows(inputs, &sources, rows, &mut features);
        for (all, own) in self.met.iter_mut().zip(met) {
            all.add(own, 0);
        }
        if let Some((row, at, why)) = refused {
            let column = self.matched.inputs[at];
            return Err(self.fault(
                chunk,
                row,
                column,
                refusal(why, &field(chunk, &self.schema, column, row)),
            ));
        }
        let targets = if self.with_targets { self.targets(chunk, rows)? } else { Vec::new() };
        let sample_weights = match self.matched.weight {
            Some(column) => self.weights(chunk, rows, column)?,
            None => Vec::new(),
        };
        Ok(Rows { rows: rows.len(), features, targets, sample_weights, spill: None })
    }

    fn fault(&self, chunk: &Chunk, row: usize, column: usize, fault: Fault) -> Error {
        let place = chunk.place(row, Some(&self.schema.columns[column].name));
        Error::data(&chunk.file, place, fault.problem).with_help(fault.help)
    }
}
