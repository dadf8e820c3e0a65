//! Fitting the preprocessing on the training rows, and encoding the training file with it.

mod column;
mod remarks;

use rayon::prelude::*;

pub(super) use column::Column as Fitting;
pub(super) use remarks::{Remarks, of_cells};

use super::Rows;
use super::block::{Numbers, Source, encode_rows};
use super::cell::column_key;
use super::column::{Coded, Column};
use super::encoding::{CellKind, Encoding, Refusal, Scale};
use super::preprocessing::{InputColumn, Preprocessing, Target, TargetEncoding, WeightColumn};
use super::statistics::{Asked, ColumnStatistics, Summary};
use super::table::{Input, RawWeights, Table};
use super::target::{self, Resolved};
use crate::config::data::{DataSettings, TargetScaling};
use crate::error::{Error, Place, Result};

/// Rows whose statistics are taken together: a multiple of what [`ColumnStatistics`] takes at once.
const STATISTICS_ROWS: usize = 4096;

/// Bytes of categories that a model file has room for, as they stand in it: safetensors reads headers of
/// 10^8 bytes.
const MOST_TEXT: usize = 90_000_000;
/// Bytes of categories that fit in any case.
const FEW_TEXT: usize = 8 << 20;

/// What the training rows say of one input column.
pub(super) enum Gathered {
    /// Of numbers, truth values or dates.
    Numbers(Summary),
    /// Of categories, in the order of the column's texts.
    Categories {
        /// Rows of each.
        rows: Vec<usize>,
        /// Rows without any.
        missing: usize,
    },
}

/// The targets, with their columns' names and indices.
pub(super) struct Targets<'a> {
    pub(super) resolved: &'a Resolved,
    pub(super) names: Vec<String>,
    pub(super) indices: Vec<usize>,
}

/// Fits the preprocessing on the rows `train`, of which `gathered` says what there is to know, an item
/// an input. Categorical columns become codes in the order of their categories, which come from the
/// whole file, or from the training rows where they are embedded; inputs that say nothing leave the table. Remarks go to `notes`.
pub(super) fn fit(
    table: &mut Table,
    gathered: Vec<Gathered>,
    Targets { resolved, names, indices }: Targets,
    train: &[usize],
    settings: &DataSettings,
    notes: &mut Vec<String>,
) -> Result<Preprocessing> {
    let mut remarks = Remarks::default();
    let mut inputs = Vec::with_capacity(table.inputs.len());
    let in_matrix = table.matrix;
    let mut kept = Vec::with_capacity(table.inputs.len());
    for (mut input, gathered) in std::mem::take(&mut table.inputs).into_iter().zip(gathered) {
        let fitting = fitting(&table.file, &input.name, in_matrix, settings);
        let encoding = match (&mut input.column, gathered) {
            (Column::Categories(coded), Gathered::Categories { rows, missing }) => {
                fit_categories(&fitting, coded, &rows, missing, &mut remarks)?
            }
            (column, Gathered::Numbers(summary)) => {
                fitting.of_numbers(cell_kind(column), summary, &mut remarks)?
            }
            _ => return Err(Error::internal(format!("{:?} has no statistics", input.name))),
        };
        if let Some(encoding) = encoding {
            inputs.push(InputColumn { name: input.name.clone(), index: input.index, encoding });
            kept.push(input);
        }
    }
    table.inputs = kept;
    notes.extend(remarks.lines());
    if inputs.is_empty() {
        let problem = "every input is constant in the training rows, or empty";
        return Err(Error::data(&table.file, Place::default(), problem)
            .with_help("there is nothing to learn from: more rows, or other columns"));
    }
    let encoding = match &resolved.targets {
        target::Targets::Classes { classes, .. } => {
            TargetEncoding::Classes { classes: classes.clone() }
        }
        target::Targets::Numbers(columns) => {
            let scales = columns.iter().zip(&names).map(|(values, name)| {
                if settings.target_scaling == TargetScaling::None {
                    return Ok(Scale::IDENTITY);
                }
                target_scale(table, values, name, train)
            });
            TargetEncoding::Numbers { scales: scales.collect::<Result<_>>()? }
        }
        target::Targets::Distributions(_) => TargetEncoding::Distribution,
        target::Targets::Labels(labels) => TargetEncoding::Labels {
            values: labels.iter().map(|label| label.values.clone()).collect(),
        },
    };
    let target = Target { names, indices, encoding };
    check_texts(table, &inputs)?;
    let (header, columns) = (table.header, table.columns);
    let weight = table.weights.as_ref().map(|weights| {
        let RawWeights { name, index, .. } = weights;
        WeightColumn { name: name.clone(), index: *index }
    });
    Ok(Preprocessing { task: resolved.task, header, columns, inputs, target, weight })
}

/// Refuses categories that a model file has no room for: it keeps them as JSON within its header's JSON.
fn check_texts(table: &Table, inputs: &[InputColumn]) -> Result<()> {
    let bytes = |input: &InputColumn| -> usize {
        input.encoding.categories().unwrap_or_default().iter().map(String::len).sum()
    };
    if inputs.iter().map(bytes).sum::<usize>() <= FEW_TEXT {
        return Ok(());
    }
    let text = serde_json::to_string(inputs).and_then(|text| serde_json::to_string(&text));
    let length = text.map_or(usize::MAX, |text| text.len());
    let largest = inputs.iter().max_by_key(|input| bytes(input));
    match largest.filter(|_| length > MOST_TEXT) {
        None => Ok(()),
        Some(InputColumn { name, .. }) => {
            let problem = format!(
                "the texts of all categories take {length} bytes, more than the {MOST_TEXT} that a \
                 model file has room for"
            );
            Err(Error::data(&table.file, Place::column(name), problem).with_help(format!(
                "this column has the most of them: leave it out with {}.type = \"ignore\"",
                column_key(name)
            )))
        }
    }
}

fn fitting<'a>(
    file: &'a std::path::Path,
    name: &'a str,
    in_matrix: bool,
    settings: &'a DataSettings,
) -> Fitting<'a> {
    let config = settings.columns.get(name);
    Fitting { file, name, config, settings, in_matrix }
}

pub(super) fn cell_kind(column: &Column) -> CellKind {
    match column {
        Column::Categories(_) => CellKind::Category,
        Column::Booleans(_) => CellKind::Boolean,
        Column::Dates(_) => CellKind::Date,
        _ => CellKind::Number,
    }
}

fn fit_categories(
    fitting: &Fitting,
    coded: &mut Coded,
    rows: &[usize],
    missing: usize,
    remarks: &mut Remarks,
) -> Result<Option<Encoding>> {
    let texts = std::mem::take(&mut coded.texts);
    let Some((encoding, new)) = fitting.of_categories(texts, rows, missing, remarks)? else {
        return Ok(None);
    };
    for code in &mut coded.codes {
        if let Some(sorted) = usize::try_from(*code).ok().and_then(|old| new.get(old)) {
            *code = *sorted;
        }
    }
    Ok(Some(encoding))
}

/// The statistics of the input columns that hold numbers, to be gathered.
pub(super) fn statistics(
    table: &Table,
    training_rows: usize,
    settings: &DataSettings,
) -> Vec<Option<ColumnStatistics>> {
    let is_number = |input: &&Input| !matches!(input.column, Column::Categories(_));
    let count = table.inputs.iter().filter(is_number).count();
    table
        .inputs
        .iter()
        .map(|input| {
            let fitting = fitting(&table.file, &input.name, table.matrix, settings);
            is_number(&input).then(|| {
                let asked = fitting.asks(cell_kind(&input.column));
                ColumnStatistics::new(training_rows, count, asked)
            })
        })
        .collect()
}

/// What the training rows say of each input of a table in memory.
pub(super) fn gather(
    table: &Table,
    train: &[usize],
    settings: &DataSettings,
) -> Result<Vec<Gathered>> {
    let mut statistics = statistics(table, train.len(), settings);
    let mut gathered = table
        .inputs
        .iter()
        .zip(&mut statistics)
        .filter_map(|(input, statistics)| Some((input, statistics.as_mut()?)))
        .map(|(input, statistics)| Ok((numbers(input)?, statistics)))
        .collect::<Result<Vec<_>>>()?;
    for rows in train.chunks(STATISTICS_ROWS) {
        gathered.par_iter_mut().for_each_with(Vec::new(), |values, (numbers, statistics)| {
            values.clear();
            values.extend(rows.iter().map(|row| numbers.get(*row)));
            statistics.push(values);
        });
    }
    let of = |(input, statistics): (&Input, Option<ColumnStatistics>)| match &input.column {
        Column::Categories(coded) => {
            let mut rows = vec![0; coded.texts.len()];
            let mut missing = 0;
            for row in train {
                match usize::try_from(coded.codes[*row]).ok().and_then(|code| rows.get_mut(code)) {
                    Some(rows) => *rows += 1,
                    None => missing += 1,
                }
            }
            Ok(Gathered::Categories { rows, missing })
        }
        _ => {
            let statistics =
                statistics.ok_or_else(|| Error::internal("a column without statistics"))?;
            Ok(Gathered::Numbers(statistics.finish()))
        }
    };
    table.inputs.iter().zip(statistics).map(of).collect()
}

fn target_scale(table: &Table, values: &[f64], name: &str, train: &[usize]) -> Result<Scale> {
    let mut statistics = ColumnStatistics::new(train.len(), 1, Asked::Plain);
    for rows in train.chunks(STATISTICS_ROWS) {
        let values: Vec<f64> = rows.iter().map(|row| values[*row]).collect();
        statistics.push(&values);
    }
    let Summary { mean, deviation, least, most, .. } = statistics.finish();
    let scale = Scale { shift: mean, scale: deviation };
    if least == most || !scale.is_sound() {
        let problem = format!("the target is constant: {least} in every training row");
        return Err(Error::data(&table.file, Place::column(name), problem)
            .with_help("there is nothing to learn: is it the right column?"));
    }
    Ok(scale)
}

/// The numbers of one input column.
fn numbers(input: &Input) -> Result<Numbers<'_>> {
    match &input.column {
        Column::Numbers(numbers) => Ok(Numbers::Compact(numbers)),
        Column::Booleans(numbers) | Column::Dates(numbers) => Ok(Numbers::Wide(numbers)),
        _ => Err(Error::internal(format!("the column {:?} holds no numbers", input.name))),
    }
}

/// Encodes some rows of the training file.
pub(super) fn encode(
    table: &Table,
    targets: &target::Targets,
    preprocessing: &Preprocessing,
    rows: &[usize],
) -> Result<Rows> {
    let width = preprocessing.inputs();
    let mut features = super::reserve(&table.file, rows.len(), width)?;
    features.resize(rows.len() * width, 0.0);
    let sources = preprocessing.inputs.iter().zip(&table.inputs).map(|(fitted, input)| {
        Ok(match (&fitted.encoding, &input.column) {
            (
                Encoding::Categorical { .. } | Encoding::Embedding { .. },
                Column::Categories(coded),
            ) => Source::Codes(&coded.codes),
            _ => Source::Numbers(numbers(input)?),
        })
    });
    let sources = sources.collect::<Result<Vec<_>>>()?;
    let (_, refused) = encode_rows(&preprocessing.inputs, &sources, rows, &mut features);
    if let Some((row, input, why)) = refused {
        return Err(unusable(table, row, &preprocessing.inputs[input].name, why));
    }
    let targets = encode_targets(targets, preprocessing, rows);
    let sample_weights = match &table.weights {
        Some(weights) => rows.iter().map(|row| weights.values[*row] as f32).collect(),
        None => Vec::new(),
    };
    Ok(Rows { rows: rows.len(), features, targets, sample_weights, spill: None })
}

/// The error of a cell of the training file that cannot be encoded.
fn unusable(table: &Table, row: usize, name: &str, why: Refusal) -> Error {
    let place = Place::column(name);
    match why {
        Refusal::Missing => {
            let problem = format!("row {row} (from 0) has no value");
            let key = column_key(name);
            Error::data(&table.file, place, problem)
                .with_help(format!("say what it becomes: {key}.missing = \"median\", or a number"))
        }
        Refusal::NotFinite => {
            let problem = format!("row {row} (from 0) is not finite once it is scaled");
            Error::data(&table.file, place, problem)
                .with_help("give the column another scaling, or leave it out")
        }
    }
}

fn encode_targets(
    targets: &target::Targets,
    preprocessing: &Preprocessing,
    rows: &[usize],
) -> Vec<f32> {
    use target::Targets;
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
