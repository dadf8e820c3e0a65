//! Encoding a file with preprocessing that is already fitted, row by row as it is read.

use std::path::Path;

use super::Rows;
use super::cell::{Cell, Fault, quoted};
use super::idx::{self, Matrix};
use super::labels::Labels;
use super::preprocessing::{Encoding, Preprocessing, TargetEncoding};
use super::source::Format;
use super::table::{listed, no_rows, read_labels};
use super::text::TextFile;
use crate::error::{Error, Place, Result, did_you_mean};

/// Where the targets come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// Nowhere: features alone.
    Features,
    /// Columns of the file, or this file of labels.
    Targets(Option<&'a Path>),
}

/// Reads and encodes a file.
pub(super) fn read(file: &Path, wanted: Wanted, preprocessing: &Preprocessing) -> Result<Rows> {
    let encoder = Encoder::new(file, preprocessing);
    let apart = preprocessing.target.indices.is_empty();
    let labels = match wanted {
        Wanted::Targets(labels) => labels,
        Wanted::Features => None,
    };
    let in_columns = matches!(wanted, Wanted::Targets(None));
    let is_idx = Format::of(file)? == Format::Idx;
    if in_columns && (apart || is_idx) {
        let problem = "the labels are in a file of their own, which is not given";
        return Err(Error::data(file, Place::default(), problem)
            .with_help("give it as well: --labels FILE, or data.validation_labels and the like"));
    }
    let mut rows = if is_idx { encoder.idx()? } else { encoder.text(in_columns)? };
    if let Some(labels) = labels {
        rows.targets = encoder.labels(labels, rows.rows)?;
    }
    Ok(rows)
}

struct Encoder<'a> {
    file: &'a Path,
    preprocessing: &'a Preprocessing,
    /// Look-up of each categorical input.
    categories: Vec<Option<Labels>>,
    classes: Option<Labels>,
}

/// Indices of a file's columns.
struct Matched {
    inputs: Vec<usize>,
    targets: Vec<usize>,
}

impl<'a> Encoder<'a> {
    fn new(file: &'a Path, preprocessing: &'a Preprocessing) -> Self {
        let categories = preprocessing.inputs.iter().map(|input| match &input.encoding {
            Encoding::Numeric(_) => None,
            Encoding::Categorical { categories } => Some(Labels::new(categories)),
        });
        let classes = match &preprocessing.target.encoding {
            TargetEncoding::Classes { classes } => Some(Labels::new(classes)),
            TargetEncoding::Numbers { .. } => None,
        };
        Self { file, preprocessing, categories: categories.collect(), classes }
    }

    fn text(&self, with_targets: bool) -> Result<Rows> {
        let Preprocessing { inputs, target, header, .. } = self.preprocessing;
        let names = inputs.iter().map(|input| &input.name).chain(&target.names);
        let known: Vec<&str> = names.filter(|_| *header).map(String::as_str).collect();
        let mut text = TextFile::open(self.file, &known)?;
        let matched =
            self.match_columns(text.header.then_some(&text.names[..]), text.names.len())?;
        if with_targets && matched.targets.len() != target.names.len() {
            return Err(self.no_targets());
        }
        let names = text.names.clone();
        let mut rows = Rows { rows: 0, features: Vec::new(), targets: Vec::new() };
        while let Some(record) = text.next_record()? {
            let at = |column: usize, fault: Fault| {
                Error::data(self.file, Place::field(record.line, &names[column]), fault.problem)
                    .with_help(fault.help)
            };
            for (input, column) in matched.inputs.iter().enumerate() {
                self.input(input, record.field(*column), &mut rows.features)
                    .map_err(|fault| at(*column, fault))?;
            }
            if with_targets {
                for (target, column) in matched.targets.iter().enumerate() {
                    let value = self.target(target, record.field(*column));
                    rows.targets.push(value.map_err(|fault| at(*column, fault))?);
                }
            }
            rows.rows += 1;
        }
        if rows.rows == 0 {
            return Err(no_rows(self.file));
        }
        Ok(rows)
    }

    fn idx(&self) -> Result<Rows> {
        let matrix = idx::read(self.file)?;
        let matched = self.match_columns(None, matrix.width)?;
        let mut features = super::reserve(self.file, matrix.rows, self.preprocessing.inputs())?;
        for row in 0..matrix.rows {
            self.idx_row(&matrix, row, &matched.inputs, &mut features)?;
        }
        Ok(Rows { rows: matrix.rows, features, targets: Vec::new() })
    }

    fn idx_row(
        &self,
        matrix: &Matrix,
        row: usize,
        columns: &[usize],
        features: &mut Vec<f32>,
    ) -> Result<()> {
        for (at, column) in columns.iter().enumerate() {
            let value = matrix.get(row, *column);
            let done = match &self.preprocessing.inputs[at].encoding {
                Encoding::Numeric(scale) => {
                    let scaled = scale.apply(value);
                    features.push(scaled);
                    if scaled.is_finite() { Ok(()) } else { Err(not_finite(&value.to_string())) }
                }
                Encoding::Categorical { .. } => self.input(at, &value.to_string(), features),
            };
            done.map_err(|fault| {
                let problem = format!("row {row} (from 0): {}", fault.problem);
                Error::data(self.file, Place::column(column.to_string()), problem)
                    .with_help(fault.help)
            })?;
        }
        Ok(())
    }

    /// Encodes a field of the input column at a position among the inputs.
    fn input(&self, at: usize, field: &str, features: &mut Vec<f32>) -> Result<(), Fault> {
        let input = &self.preprocessing.inputs[at];
        match (&input.encoding, &self.categories[at]) {
            (Encoding::Categorical { categories }, Some(labels)) => {
                if Cell::of(field) == Cell::Missing {
                    return Err(self.missing(field));
                }
                let found = labels.find(field).ok_or_else(|| Fault {
                    problem: format!("{} is not among the column's categories", quoted(field)),
                    help: format!("known from training: {}", listed(categories)),
                })?;
                let one_hot = |i| if i == found { 1.0 } else { 0.0 };
                features.extend((0..categories.len()).map(one_hot));
            }
            (Encoding::Numeric(scale), _) => {
                let scaled = scale.apply(self.number(field)?);
                if !scaled.is_finite() {
                    return Err(not_finite(field));
                }
                features.push(scaled);
            }
            (Encoding::Categorical { .. }, None) => {}
        }
        Ok(())
    }

    fn target(&self, at: usize, field: &str) -> Result<f32, Fault> {
        match (&self.preprocessing.target.encoding, &self.classes) {
            (TargetEncoding::Classes { classes }, Some(labels)) => {
                if Cell::of(field) == Cell::Missing {
                    return Err(self.missing(field));
                }
                // A class index is at most 10,000, which f32 holds exactly.
                labels.find(field).map(|class| class as f32).ok_or_else(|| Fault {
                    problem: format!("the training data has no class {}", quoted(field)),
                    help: format!("its classes: {}", listed(classes)),
                })
            }
            (TargetEncoding::Numbers { scales }, _) => {
                let scale = scales.get(at).copied().unwrap_or(super::Scale::IDENTITY);
                let scaled = scale.apply(self.number(field)?);
                if scaled.is_finite() { Ok(scaled) } else { Err(not_finite(field)) }
            }
            (TargetEncoding::Classes { .. }, None) => Ok(0.0),
        }
    }

    fn number(&self, field: &str) -> Result<f64, Fault> {
        match Cell::of(field) {
            Cell::Number(number) => Ok(number),
            Cell::Missing => Err(self.missing(field)),
            Cell::NotFinite => Err(Fault::not_finite(field)),
            Cell::Text => {
                Err(Fault::text(field, "the column was numeric in the training data".to_owned()))
            }
        }
    }

    fn missing(&self, field: &str) -> Fault {
        Fault::missing("", field, true)
    }

    fn labels(&self, labels: &Path, rows: usize) -> Result<Vec<f32>> {
        let values = read_labels(labels, rows, self.file)?;
        if self.preprocessing.target.names.len() != 1 {
            let problem = "a file of labels gives one target, and the model has several";
            return Err(Error::data(labels, Place::default(), problem));
        }
        let encoded = values.iter().enumerate().map(|(row, value)| {
            self.target(0, &value.to_string()).map_err(|fault| {
                let problem = format!("row {row} (from 0): {}", fault.problem);
                Error::data(labels, Place::default(), problem).with_help(fault.help)
            })
        });
        encoded.collect()
    }

    /// Finds the model's columns in a file of `width` columns: by name where both have names,
    /// else by position. Targets are empty where the file lacks them.
    fn match_columns(&self, names: Option<&[String]>, width: usize) -> Result<Matched> {
        match names {
            Some(names) if self.preprocessing.header => self.match_names(names),
            _ => self.match_positions(width),
        }
    }

    fn match_names(&self, names: &[String]) -> Result<Matched> {
        let Preprocessing { inputs, target, .. } = self.preprocessing;
        let places: std::collections::HashMap<&str, usize> =
            names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let found: Result<Vec<usize>> = inputs
            .iter()
            .map(|input| {
                let index = places.get(input.name.as_str()).copied();
                index.ok_or_else(|| {
                    let near = did_you_mean(&input.name, names.iter().map(String::as_str));
                    let near = near.map(|near| format!("is {near:?} meant? ")).unwrap_or_default();
                    let problem = format!("no column {:?}, which the model needs", input.name);
                    Error::data(self.file, Place::default(), problem)
                        .with_help(format!("{near}the file's columns: {}", listed(names)))
                })
            })
            .collect();
        let targets = target.names.iter().filter_map(|name| places.get(name.as_str()).copied());
        Ok(Matched { inputs: found?, targets: targets.collect() })
    }

    fn match_positions(&self, width: usize) -> Result<Matched> {
        let Preprocessing { inputs, target, columns, .. } = self.preprocessing;
        let without = columns.saturating_sub(target.indices.len());
        if width == *columns {
            let inputs = inputs.iter().map(|input| input.index).collect();
            return Ok(Matched { inputs, targets: target.indices.clone() });
        }
        if width == without {
            let shifted = |index: usize| {
                index - target.indices.iter().filter(|target| **target < index).count()
            };
            let inputs = inputs.iter().map(|input| shifted(input.index)).collect();
            return Ok(Matched { inputs, targets: Vec::new() });
        }
        if width == inputs.len() {
            return Ok(Matched { inputs: (0..width).collect(), targets: Vec::new() });
        }
        let or = if without < *columns {
            format!(", or {without} without the target")
        } else {
            String::new()
        };
        let problem =
            format!("expected {columns} columns as in the training data{or}, found {width}");
        let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        Err(Error::data(self.file, Place::default(), problem)
            .with_help(format!("the model's inputs, in order: {}", listed(&names))))
    }

    fn no_targets(&self) -> Error {
        let names = listed(&self.preprocessing.target.names);
        let problem = format!("no target column: expected {names}");
        Error::data(self.file, Place::default(), problem)
            .with_help("rows without a target can be predicted, not scored")
    }
}

fn not_finite(field: &str) -> Fault {
    Fault {
        problem: format!("{} is not finite once it is scaled", quoted(field)),
        help: "it is far outside the range of the training data".to_owned(),
    }
}
