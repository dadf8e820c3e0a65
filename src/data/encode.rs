//! Encoding a file with preprocessing that is already fitted, row by row as it is read.

use std::path::Path;

use super::Rows;
use super::cell::{Cell, Fault, check_distribution, check_probability, check_weight, quoted};
use super::idx::{self, Matrix};
use super::images::read_labels;
use super::labels::Labels;
use super::preprocessing::{Encoding, LabelValues, Preprocessing, TargetEncoding};
use super::source::Format;
use super::table::{listed, no_rows};
use super::text::TextFile;
use crate::error::{Error, Place, Result, did_you_mean};

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

/// Reads and encodes a file.
pub(super) fn read(file: &Path, wanted: Wanted, preprocessing: &Preprocessing) -> Result<Rows> {
    let encoder = Encoder::new(file, preprocessing);
    let apart = preprocessing.target.indices.is_empty();
    let labels = match wanted {
        Wanted::Targets { labels, .. } => labels,
        Wanted::Features => None,
    };
    let in_columns = matches!(wanted, Wanted::Targets { labels: None, .. });
    let is_idx = Format::of(file)? == Format::Idx;
    if in_columns && (apart || is_idx) {
        let problem = "the labels are in a file of their own, which is not given";
        return Err(Error::data(file, Place::default(), problem)
            .with_help("give it as well: --labels FILE, or data.validation_labels and the like"));
    }
    let mut rows = if is_idx { encoder.idx()? } else { encoder.text(wanted, in_columns)? };
    if let Some(labels) = labels {
        rows.targets = encoder.labels(labels, rows.rows)?;
    }
    super::weights::check(file, "rows", &rows, preprocessing.weight_column())?;
    Ok(rows)
}

struct Encoder<'a> {
    file: &'a Path,
    preprocessing: &'a Preprocessing,
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
    fn new(file: &'a Path, preprocessing: &'a Preprocessing) -> Self {
        let categories = preprocessing.inputs.iter().map(|input| match &input.encoding {
            Encoding::Numeric(_) => None,
            Encoding::Categorical { categories } => Some(Labels::new(categories)),
        });
        let classes = match &preprocessing.target.encoding {
            TargetEncoding::Classes { classes } => vec![Labels::new(classes)],
            TargetEncoding::Labels { values } => values
                .iter()
                .map(|values| Labels::new(&[values.negative.clone(), values.positive.clone()]))
                .collect(),
            TargetEncoding::Numbers { .. } | TargetEncoding::Distribution => Vec::new(),
        };
        Self { file, preprocessing, categories: categories.collect(), classes }
    }

    fn text(&self, wanted: Wanted, with_targets: bool) -> Result<Rows> {
        let Preprocessing { inputs, target, header, weight, .. } = self.preprocessing;
        let weight_name = weight.iter().map(|weight| &weight.name);
        let names = inputs.iter().map(|input| &input.name).chain(&target.names).chain(weight_name);
        let known: Vec<&str> = names.filter(|_| *header).map(String::as_str).collect();
        let mut text = TextFile::open(self.file, &known)?;
        let named = text.header.then_some(&text.names[..]);
        let mut matched = self.match_columns(named, text.names.len(), with_targets)?;
        if with_targets && matched.targets.len() != target.names.len() {
            return Err(self.no_targets());
        }
        match wanted {
            Wanted::Targets { weights: true, .. } if matched.weight.is_none() => {
                if let Some(weight) = weight {
                    return Err(self.no_weights(&weight.name));
                }
            }
            Wanted::Targets { .. } => {}
            Wanted::Features => matched.weight = None,
        }
        let names = text.names.clone();
        let mut rows = Rows::default();
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
                self.whole_row(&rows.targets).map_err(|fault| {
                    let place = Place::line(record.line);
                    Error::data(self.file, place, fault.problem).with_help(fault.help)
                })?;
            }
            if let Some(column) = matched.weight {
                let field = record.field(column);
                let weight = self.number(field).and_then(|weight| check_weight(weight, field));
                rows.sample_weights.push(weight.map_err(|fault| at(column, fault))? as f32);
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
        let matched = self.match_columns(None, matrix.width, false)?;
        let mut features = super::reserve(self.file, matrix.rows, self.preprocessing.inputs())?;
        for row in 0..matrix.rows {
            self.idx_row(&matrix, row, &matched.inputs, &mut features)?;
        }
        Ok(Rows { rows: matrix.rows, features, ..Rows::default() })
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
        match &self.preprocessing.target.encoding {
            TargetEncoding::Classes { classes } => {
                // A class index is at most 10,000, which f32 holds exactly.
                self.code(0, field)?.map(|class| class as f32).ok_or_else(|| Fault {
                    problem: format!("the training data has no class {}", quoted(field)),
                    help: format!("its classes: {}", listed(classes)),
                })
            }
            TargetEncoding::Labels { values } => {
                self.code(at, field)?.map(|code| code as f32).ok_or_else(|| Fault {
                    problem: format!("{} is neither of the label's values", quoted(field)),
                    help: values.get(at).map_or_else(String::new, |values| {
                        let LabelValues { negative, positive } = values;
                        format!("they are {} and {}", quoted(negative), quoted(positive))
                    }),
                })
            }
            TargetEncoding::Distribution => {
                check_probability(self.number(field)?, field).map(|share| share as f32)
            }
            TargetEncoding::Numbers { scales } => {
                let scale = scales.get(at).copied().unwrap_or(super::Scale::IDENTITY);
                let scaled = scale.apply(self.number(field)?);
                if scaled.is_finite() { Ok(scaled) } else { Err(not_finite(field)) }
            }
        }
    }

    /// The index of a class, or of a label's value.
    fn code(&self, at: usize, field: &str) -> Result<Option<usize>, Fault> {
        if Cell::of(field) == Cell::Missing {
            return Err(self.missing(field));
        }
        Ok(self.classes.get(at).and_then(|labels| labels.find(field)))
    }

    /// Checks what only a whole row of targets shows, the last of those read.
    fn whole_row(&self, targets: &[f32]) -> Result<(), Fault> {
        if self.preprocessing.target.encoding != TargetEncoding::Distribution {
            return Ok(());
        }
        let start = targets.len().saturating_sub(self.preprocessing.target.names.len());
        check_distribution(targets[start..].iter().map(|share| f64::from(*share)))
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
    fn match_columns(
        &self,
        names: Option<&[String]>,
        width: usize,
        with_targets: bool,
    ) -> Result<Matched> {
        match names {
            Some(names) if self.preprocessing.header => self.match_names(names),
            _ => self.match_positions(width, with_targets),
        }
    }

    fn match_names(&self, names: &[String]) -> Result<Matched> {
        let Preprocessing { inputs, target, weight, .. } = self.preprocessing;
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
        let weight = weight.as_ref().and_then(|weight| places.get(weight.name.as_str()).copied());
        Ok(Matched { inputs: found?, targets: targets.collect(), weight })
    }

    /// The training file's columns by position, some of them left out: the targets, unless they
    /// are wanted, the weights, or both.
    fn match_positions(&self, width: usize, with_targets: bool) -> Result<Matched> {
        let Preprocessing { inputs, target, columns, weight, .. } = self.preprocessing;
        let targets = target.indices.as_slice();
        let weight: Vec<usize> = weight.iter().map(|weight| weight.index).collect();
        let both = [targets, &weight].concat();
        let left_out: [&[usize]; 4] = [&[], targets, &weight, &both];
        let mut found: Vec<Matched> = Vec::new();
        for without in left_out {
            let has_targets = targets.iter().all(|target| !without.contains(target));
            if width != columns.saturating_sub(without.len()) || (with_targets && !has_targets) {
                continue;
            }
            let place = |index: &usize| index - without.iter().filter(|out| *out < index).count();
            let kept = |all: &[usize]| -> Vec<usize> {
                all.iter().filter(|index| !without.contains(index)).map(place).collect()
            };
            let inputs: Vec<usize> = inputs.iter().map(|input| place(&input.index)).collect();
            let matched =
                Matched { inputs, targets: kept(targets), weight: kept(&weight).first().copied() };
            if found.iter().all(|other| other.inputs != matched.inputs) {
                found.push(matched);
            }
        }
        if found.len() > 1 {
            let problem = format!("{width} columns lack the target or the weights: which of them?");
            return Err(Error::data(self.file, Place::default(), problem).with_help(format!(
                "give all {columns} columns of the training data, or a header"
            )));
        }
        if let Some(matched) = found.pop() {
            return Ok(matched);
        }
        if width == inputs.len() {
            let inputs = (0..width).collect();
            return Ok(Matched { inputs, targets: Vec::new(), weight: None });
        }
        let without = columns.saturating_sub(targets.len());
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

    fn no_weights(&self, name: &str) -> Error {
        let problem = format!("no column {name:?}, which holds the weights of the training rows");
        Error::data(self.file, Place::default(), problem).with_help(
            "the rows that a run holds out need weights as well: 1 where all count alike",
        )
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
