//! Fitting the preprocessing on the training rows, and encoding the training file with it.

use super::Rows;
use super::column::{Coded, Column};
use super::idx::Matrix;
use super::labels::sort_labels;
use super::preprocessing::{
    Encoding, InputColumn, Preprocessing, Scale, Target, TargetEncoding, WeightColumn,
};
use super::table::{Input, RawWeights, Table, listed};
use super::target::{Resolved, Targets};
use crate::config::data::{DataSettings, Scaling, TargetScaling};
use crate::error::{Error, Place, Result};

/// The most constant columns that a remark names.
const MOST_NAMED: usize = 5;

/// Fits the preprocessing on the rows `train`. Categorical columns become codes in the order of
/// their categories, which come from the whole file. Remarks go to `notes`.
pub(super) fn fit(
    table: &mut Table,
    resolved: &Resolved,
    names: Vec<String>,
    indices: Vec<usize>,
    train: &[usize],
    settings: &DataSettings,
    notes: &mut Vec<String>,
) -> Result<Preprocessing> {
    let statistics = Statistics::gather(table, train, settings)?;
    let mut constant = Vec::new();
    let mut categorical = Vec::new();
    let mut inputs = Vec::with_capacity(table.inputs.len());
    for (position, input) in table.inputs.iter_mut().enumerate() {
        let encoding = match &mut input.column {
            Column::Categories(coded) => {
                let categories = sort_column(coded);
                categorical.push(format!("{} ({})", input.name, categories.len()));
                Encoding::Categorical { categories }
            }
            _ => {
                let scaling = input.scaling.unwrap_or(settings.scaling);
                let (scale, is_constant) = statistics.scale(position, scaling);
                if is_constant {
                    constant.push(input.name.clone());
                }
                Encoding::Numeric(scale)
            }
        };
        inputs.push(InputColumn { name: input.name.clone(), index: input.index, encoding });
    }
    if !categorical.is_empty() {
        notes.push(format!("one-hot encoded, with their categories: {}", listed(&categorical)));
    }
    if !constant.is_empty() {
        notes.push(constant_note(&constant));
    }
    let encoding = match &resolved.targets {
        Targets::Classes { classes, .. } => TargetEncoding::Classes { classes: classes.clone() },
        Targets::Numbers(columns) => {
            let scales = columns.iter().zip(&names).map(|(values, name)| {
                if settings.target_scaling == TargetScaling::None {
                    return Ok(Scale::IDENTITY);
                }
                target_scale(table, values, name, train)
            });
            TargetEncoding::Numbers { scales: scales.collect::<Result<_>>()? }
        }
        Targets::Distributions(_) => TargetEncoding::Distribution,
        Targets::Labels(labels) => TargetEncoding::Labels {
            values: labels.iter().map(|label| label.values.clone()).collect(),
        },
    };
    let target = Target { names, indices, encoding };
    let (header, columns) = (table.header, table.columns);
    let weight = table.weights.as_ref().map(|weights| {
        let RawWeights { name, index, .. } = weights;
        WeightColumn { name: name.clone(), index: *index }
    });
    Ok(Preprocessing { task: resolved.task, header, columns, inputs, target, weight })
}

fn sort_column(coded: &mut Coded) -> Vec<String> {
    let (categories, new) = sort_labels(std::mem::take(&mut coded.texts));
    for code in &mut coded.codes {
        if let Some(sorted) = usize::try_from(*code).ok().and_then(|old| new.get(old)) {
            *code = *sorted;
        }
    }
    categories
}

fn constant_note(constant: &[String]) -> String {
    let shown = constant.iter().take(MOST_NAMED).map(|name| format!("{name:?}"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match constant.len() {
        1 => format!("column {shown} is constant in the training rows, so it says nothing"),
        count if count <= MOST_NAMED => {
            format!("columns {shown} are constant in the training rows, so they say nothing")
        }
        count => format!(
            "{count} columns are constant in the training rows, so they say nothing: {shown}, ..."
        ),
    }
}

fn target_scale(table: &Table, values: &[f64], name: &str, train: &[usize]) -> Result<Scale> {
    let mut one = Statistics::new(1);
    train.iter().for_each(|row| one.first(0, values[*row]));
    one.end_first(train.len());
    train.iter().for_each(|row| one.second(0, values[*row]));
    one.end_second(train.len());
    let (scale, constant) = one.scale(0, Scaling::Standard);
    if constant {
        let problem = format!("the target is constant: {} in every training row", scale.shift);
        return Err(Error::data(&table.file, Place::column(name), problem)
            .with_help("there is nothing to learn: is it the right column?"));
    }
    Ok(scale)
}

/// Statistics of numeric columns, gathered in two passes.
struct Statistics {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    least: Vec<f64>,
    most: Vec<f64>,
    /// First quartile, median and third quartile.
    quartiles: Vec<[f64; 3]>,
}

impl Statistics {
    fn new(columns: usize) -> Self {
        Self {
            mean: vec![0.0; columns],
            deviation: vec![0.0; columns],
            least: vec![f64::INFINITY; columns],
            most: vec![f64::NEG_INFINITY; columns],
            quartiles: vec![[0.0; 3]; columns],
        }
    }

    /// Those of a table's inputs over some rows; of no use where no column needs any.
    fn gather(table: &Table, rows: &[usize], settings: &DataSettings) -> Result<Self> {
        let mut all = Self::new(table.inputs.len());
        let needs = |input: &Input| {
            !matches!(input.column, Column::Categories(_))
                && matches!(
                    input.scaling.unwrap_or(settings.scaling),
                    Scaling::Standard | Scaling::Minmax | Scaling::Robust
                )
        };
        let needed: Vec<(usize, Numbers)> = (0..table.inputs.len())
            .filter(|at| needs(&table.inputs[*at]))
            .map(|at| Ok((at, numbers(table, at)?)))
            .collect::<Result<_>>()?;
        if needed.is_empty() {
            return Ok(all);
        }
        for row in rows {
            needed.iter().for_each(|(at, numbers)| all.first(*at, numbers.get(*row)));
        }
        all.end_first(rows.len());
        for row in rows {
            needed.iter().for_each(|(at, numbers)| all.second(*at, numbers.get(*row)));
        }
        all.end_second(rows.len());
        for (at, numbers) in &needed {
            if table.inputs[*at].scaling.unwrap_or(settings.scaling) == Scaling::Robust {
                all.quartiles[*at] = quartiles(rows.iter().map(|row| numbers.get(*row)).collect());
            }
        }
        Ok(all)
    }

    fn first(&mut self, column: usize, value: f64) {
        self.mean[column] += value;
        self.least[column] = self.least[column].min(value);
        self.most[column] = self.most[column].max(value);
    }

    fn end_first(&mut self, rows: usize) {
        self.mean.iter_mut().for_each(|mean| *mean /= rows as f64);
    }

    fn second(&mut self, column: usize, value: f64) {
        let distance = value - self.mean[column];
        self.deviation[column] += distance * distance;
    }

    fn end_second(&mut self, rows: usize) {
        self.deviation.iter_mut().for_each(|sum| *sum = (*sum / rows as f64).sqrt());
    }

    /// A column's constants, and whether it is constant where that matters. A constant column
    /// becomes 0: its own value is the shift, free of the mean's rounding.
    fn scale(&self, column: usize, scaling: Scaling) -> (Scale, bool) {
        let least = self.least[column];
        let fitted = match scaling {
            Scaling::None => return (Scale::IDENTITY, false),
            Scaling::DivideBy255 => return (Scale { shift: 0.0, scale: 255.0 }, false),
            Scaling::Standard => Scale { shift: self.mean[column], scale: self.deviation[column] },
            Scaling::Robust => {
                let [first, median, third] = self.quartiles[column];
                let range = third - first;
                Scale { shift: median, scale: if range > 0.0 { range } else { 1.0 } }
            }
            Scaling::Minmax => Scale { shift: least, scale: self.most[column] - least },
        };
        if least == self.most[column] || fitted.scale <= 0.0 {
            return (Scale { shift: least, scale: 1.0 }, true);
        }
        (fitted, false)
    }
}

/// First quartile, median and third quartile, between two values in proportion: NumPy's
/// `percentile` with its default method, `linear`.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    [1, 2, 3].map(|quarter| {
        let (below, part) = (last * quarter / 4, (last * quarter % 4) as f64 / 4.0);
        match (values.get(below), values.get((below + 1).min(last))) {
            (Some(below), Some(above)) => below + (above - below) * part,
            _ => 0.0,
        }
    })
}

/// The numbers of one input column.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    /// A column of its own.
    Column(&'a [f64]),
    /// A column of a matrix.
    Matrix(&'a Matrix, usize),
}

impl Numbers<'_> {
    fn get(self, row: usize) -> f64 {
        match self {
            Self::Column(numbers) => numbers[row],
            Self::Matrix(matrix, column) => matrix.get(row, column),
        }
    }
}

fn numbers(table: &Table, input: usize) -> Result<Numbers<'_>> {
    let input = &table.inputs[input];
    match (&input.column, &table.matrix) {
        (Column::Numbers(numbers), _) => Ok(Numbers::Column(numbers)),
        (Column::Ignored, Some(matrix)) => Ok(Numbers::Matrix(matrix, input.index)),
        _ => Err(Error::internal(format!("the column {:?} holds no numbers", input.name))),
    }
}

/// Where an input's values come from while rows are encoded.
enum Source<'a> {
    Number { numbers: Numbers<'a>, scale: Scale },
    OneHot { codes: &'a [u32], width: usize },
}

/// Encodes some rows of the training file.
pub(super) fn encode(
    table: &Table,
    targets: &Targets,
    preprocessing: &Preprocessing,
    rows: &[usize],
) -> Result<Rows> {
    let width = preprocessing.inputs();
    let mut features = super::reserve(&table.file, rows.len(), width)?;
    let sources = preprocessing
        .inputs
        .iter()
        .enumerate()
        .map(|(at, input)| {
            Ok(match (&input.encoding, &table.inputs[at].column) {
                (Encoding::Categorical { categories }, Column::Categories(coded)) => {
                    Source::OneHot { codes: &coded.codes, width: categories.len() }
                }
                (Encoding::Numeric(scale), _) => {
                    Source::Number { numbers: numbers(table, at)?, scale: *scale }
                }
                (Encoding::Categorical { .. }, _) => {
                    return Err(Error::internal("a numeric column is encoded as categorical"));
                }
            })
        })
        .collect::<Result<Vec<_>>>()?;
    for row in rows {
        for source in &sources {
            match source {
                Source::Number { numbers, scale } => features.push(scale.apply(numbers.get(*row))),
                Source::OneHot { codes, width } => {
                    let code = usize::try_from(codes[*row]).unwrap_or(usize::MAX);
                    features.extend((0..*width).map(|i| if i == code { 1.0 } else { 0.0 }));
                }
            }
        }
    }
    if let Some(at) = features.iter().position(|value| !value.is_finite()) {
        let mut column = at % width;
        let name = preprocessing.inputs.iter().find_map(|input| {
            let here = column < input.encoding.width();
            column = column.saturating_sub(input.encoding.width());
            here.then_some(input.name.as_str())
        });
        let place = Place::column(name.unwrap_or_default());
        return Err(Error::data(&table.file, place, "a value is not finite once it is scaled")
            .with_help("give the column another scaling, or leave it out"));
    }
    let targets = encode_targets(targets, preprocessing, rows);
    let sample_weights = match &table.weights {
        Some(weights) => rows.iter().map(|row| weights.values[*row] as f32).collect(),
        None => Vec::new(),
    };
    Ok(Rows { rows: rows.len(), features, targets, sample_weights })
}

fn encode_targets(targets: &Targets, preprocessing: &Preprocessing, rows: &[usize]) -> Vec<f32> {
    match (targets, &preprocessing.target.encoding) {
        // A class index is at most 10,000, which f32 holds exactly.
        (Targets::Classes { codes, .. }, _) => rows.iter().map(|row| codes[*row] as f32).collect(),
        (Targets::Numbers(columns), TargetEncoding::Numbers { scales }) => rows
            .iter()
            .flat_map(|row| {
                columns.iter().zip(scales).map(|(values, scale)| scale.apply(values[*row]))
            })
            .collect(),
        (Targets::Distributions(columns), _) => {
            rows.iter().flat_map(|row| columns.iter().map(|values| values[*row] as f32)).collect()
        }
        (Targets::Labels(labels), _) => rows
            .iter()
            .flat_map(|row| labels.iter().map(|label| label.codes[*row] as f32))
            .collect(),
        (Targets::Numbers(_), _) => Vec::new(),
    }
}
