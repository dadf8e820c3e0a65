//! The training file as raw columns, each with its role.

mod roles;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::cell::check_distribution;
use super::column::{Builder, Column, Role, TargetValues};
use super::fit::Fitting;
use super::labels_apart;
use super::pixels;
use super::read::{self, Chunk, Reader, Schema, SchemaColumn};
use super::split::Keys;
use crate::config::data::{ColumnReference, ColumnType, DataSettings};
use crate::error::{Error, Place, Result, did_you_mean, short};
use roles::{find_targets, roles};

/// The most column names that a message lists.
const MOST_LISTED: usize = 30;

/// The training file, read.
pub(super) struct Table {
    pub(super) file: PathBuf,
    pub(super) header: bool,
    /// Columns of the file, all counted.
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) inputs: Vec<Input>,
    pub(super) targets: Vec<RawTarget>,
    /// The column of weights, raw.
    pub(super) weights: Option<RawWeights>,
    /// What the rows are split by.
    pub(super) keys: Keys,
    /// Whether it is a matrix, or an image pixel by pixel, whose width is the user's.
    pub(super) matrix: bool,
    /// Columns with numbers that a 64-bit float cannot hold, and such a number of each.
    pub(super) inexact: Vec<(String, String)>,
}

/// An input column, raw.
pub(super) struct Input {
    pub(super) name: String,
    pub(super) index: usize,
    /// Its values.
    pub(super) column: Column,
}

/// A target column, raw.
pub(super) struct RawTarget {
    pub(super) name: String,
    /// None for labels in a file of their own.
    pub(super) index: Option<usize>,
    /// The user's word on its type.
    pub(super) stated: Option<ColumnType>,
    pub(super) values: TargetValues,
}

/// The column of weights, raw.
pub(super) struct RawWeights {
    pub(super) name: String,
    pub(super) index: usize,
    /// One a row, 0 or more.
    pub(super) values: Vec<f64>,
}

impl Table {
    /// Reads the training file.
    pub(super) fn read(settings: &DataSettings) -> Result<Self> {
        let known = known(settings);
        Self::of(&|| read::open(&settings.train, &known), settings, true)
    }

    /// Reads a table that can be opened more than once. Without `keeps` its inputs have names and
    /// types, and no values.
    pub(super) fn of<'a>(
        open: &dyn Fn() -> Result<Box<dyn Reader + 'a>>,
        settings: &DataSettings,
        keeps: bool,
    ) -> Result<Self> {
        let mut overrides: Vec<usize> = Vec::new();
        // At most two readings: the second one knows which columns mix numbers and text.
        loop {
            let mut reader = open()?;
            let schema = reader.schema().clone();
            let targets = match &settings.labels {
                Some(_) if settings.target.is_empty() => Vec::new(),
                Some(_) => {
                    let problem = "the labels are in a file of their own";
                    return Err(Error::config("data.target", problem)
                        .with_help("leave data.target out where data.labels is given"));
                }
                None => find_targets(&schema, settings)?,
            };
            let names = names(&schema);
            let roles = roles(&schema, &targets, &overrides, settings)?;
            let mut keys = Keys::of(&names, &schema.file, settings)?;
            let (rows, columns) =
                read_columns(reader.as_mut(), &schema, &roles, &mut keys, settings, keeps)?;
            let mixed: Vec<usize> =
                (0..names.len()).filter(|at| matches!(columns[*at], Column::Mixed)).collect();
            if mixed.is_empty() || !overrides.is_empty() {
                let inexact = reader.inexact();
                let mut table = assemble(schema, rows, columns, keys, &targets, inexact, settings)?;
                if let Some(labels) = &settings.labels {
                    let values = labels_apart::target(labels, rows, &table.file)?;
                    let name = "label".to_owned();
                    table.targets.push(RawTarget { name, index: None, stated: None, values });
                }
                return Ok(table);
            }
            overrides = mixed;
        }
    }
}

/// Names that a header of the training file would hold.
pub(super) fn known(settings: &DataSettings) -> Vec<&str> {
    let targets = settings.target.iter().filter_map(|target| match target {
        ColumnReference::Name(name) => Some(name.as_str()),
        ColumnReference::Index(_) => None,
    });
    targets.chain(settings.columns.keys().map(String::as_str)).collect()
}

/// The names of a file's columns.
pub(super) fn names(schema: &Schema) -> Vec<String> {
    schema.columns.iter().map(|column| column.name.clone()).collect()
}

fn read_columns(
    reader: &mut dyn Reader,
    schema: &Schema,
    roles: &[Role],
    keys: &mut Keys,
    settings: &DataSettings,
    keeps: bool,
) -> Result<(usize, Vec<Column>)> {
    let file = &schema.file;
    let builder = |(column, role): (&SchemaColumn, &Role)| {
        let (name, config) = (&column.name, settings.columns.get(&column.name));
        let in_matrix = schema.matrix;
        let fitting = Fitting { file, name, config, settings, in_matrix };
        Builder::new(name, *role, fitting.encoding(), fitting.refuses_missing(), keeps)
    };
    let mut builders: Vec<Builder> = schema.columns.iter().zip(roles).map(builder).collect();
    let probabilities: Vec<usize> =
        (0..roles.len()).filter(|index| roles[*index] == Role::Probability).collect();
    let split_by = keys.column();
    let wanted: Vec<bool> = builders
        .iter()
        .enumerate()
        .map(|(at, builder)| builder.is_wanted() || split_by == Some(at))
        .collect();
    let mut rows = 0_usize;
    let mut next = reader.next_chunk(&wanted)?;
    while let Some(chunk) = next {
        // The rows behind these are decoded while these are looked at. What is wrong with these is told
        // first.
        let (taken, read) =
            rayon::join(|| take(&mut builders, schema, &chunk), || reader.next_chunk(&wanted));
        taken?;
        if let Some(column) = split_by {
            keys.take(&chunk, column, &schema.columns[column])?;
        }
        if probabilities.len() > 1 {
            let of: Vec<&[f64]> =
                probabilities.iter().map(|at| builders[*at].last_numbers(chunk.rows)).collect();
            for row in 0..chunk.rows {
                let shares = of.iter().filter_map(|numbers| numbers.get(row).copied());
                check_distribution(shares).map_err(|fault| {
                    Error::data(&chunk.file, chunk.place(row, None), fault.problem)
                        .with_help(fault.help)
                })?;
            }
        }
        rows += chunk.rows;
        next = read?;
    }
    if rows == 0 {
        return Err(no_rows(file));
    }
    let columns = builders.into_iter().map(|builder| builder.finish(file));
    Ok((rows, columns.collect::<Result<_>>()?))
}

/// Hands each column's cells to its builder; of several faults the first in the file is told.
fn take(builders: &mut [Builder], schema: &Schema, chunk: &Chunk) -> Result<()> {
    let taken = builders.par_iter_mut().zip(&chunk.columns).zip(&schema.columns).enumerate();
    let fault = taken
        .filter_map(|(column, ((builder, cells), known))| {
            let (row, fault) = builder.take(chunk, &known.kind, cells).err()?;
            Some((row, column, fault))
        })
        .min_by_key(|(row, column, _)| (*row, *column));
    fault.map_or(Ok(()), |(row, column, fault)| {
        let place = chunk.place(row, Some(&schema.columns[column].name));
        Err(Error::data(&chunk.file, place, fault.problem).with_help(fault.help))
    })
}

/// The error of a header alone.
pub(super) fn no_rows(file: &Path) -> Error {
    Error::data(file, Place::default(), "there are no rows, only a header")
}

fn assemble(
    schema: Schema,
    rows: usize,
    columns: Vec<Column>,
    keys: Keys,
    targets: &[usize],
    inexact: Vec<(usize, String)>,
    settings: &DataSettings,
) -> Result<Table> {
    let total = columns.len();
    let inexact = inexact.into_iter().filter(|(at, _)| !matches!(columns[*at], Column::Ignored));
    let inexact = inexact.map(|(at, value)| (schema.columns[at].name.clone(), value)).collect();
    let mut inputs = Vec::new();
    let mut found = Vec::new();
    let mut weights = None;
    for (index, column) in columns.into_iter().enumerate() {
        let name = schema.columns[index].name.clone();
        match column {
            Column::Ignored | Column::Mixed => {}
            Column::Weights(values) => weights = Some(RawWeights { name, index, values }),
            Column::Target(values) => {
                let stated = settings.columns.get(&name).and_then(|config| config.kind);
                found.push((index, RawTarget { name, index: Some(index), stated, values }));
            }
            column => inputs.push(Input { name, index, column }),
        }
    }
    if inputs.is_empty() {
        return Err(no_inputs(&schema.file));
    }
    // In the order in which the user names them.
    found.sort_by_key(|(index, _)| targets.iter().position(|target| target == index));
    let targets = found.into_iter().map(|(_, target)| target).collect();
    Ok(Table {
        file: schema.file,
        header: schema.header,
        matrix: schema.matrix || are_pixels(&inputs),
        columns: total,
        rows,
        inputs,
        targets,
        weights,
        keys,
        inexact,
    })
}

/// Whether inputs are the pixels of square images: numbers, named as pixels.
fn are_pixels(inputs: &[Input]) -> bool {
    let square = pixels::square(inputs.iter().map(|input| input.name.as_str()));
    square.is_some_and(|(_, named)| named)
        && inputs.iter().all(|input| matches!(input.column, Column::Numbers(_)))
}

/// The error of a file without inputs.
pub(super) fn no_inputs(file: &Path) -> Error {
    Error::data(file, Place::default(), "no input column is left")
        .with_help("the file needs a column that is neither a target nor a weight, nor ignored")
}

fn columns_help(names: &[String]) -> String {
    format!("its columns: {}", listed(names))
}

/// The error of a config key that names a column which is not there.
pub(super) fn no_such_column(
    path: String,
    column: &ColumnReference,
    names: &[String],
    file: &Path,
) -> Error {
    let file = file.display();
    match column {
        ColumnReference::Index(index) => {
            let count = names.len();
            let problem = format!("{file} has no column {index}: it has {count}, counted from 0");
            Error::config(path, problem).with_help(columns_help(names))
        }
        ColumnReference::Name(name) => {
            let near = did_you_mean(name, names.iter().map(String::as_str));
            let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
            Error::config(path, format!("{file} has no column {name:?}"))
                .with_help(format!("{near}{}", columns_help(names)))
        }
    }
}

/// Names for a message: all of them, or the first ones and their number.
pub(crate) fn listed(names: &[String]) -> String {
    // A name is whatever stands in a file, of any length.
    let shown: Vec<String> = names.iter().take(MOST_LISTED).map(|name| short(name)).collect();
    if names.len() <= MOST_LISTED {
        return shown.join(", ");
    }
    format!("{}, ... ({} in all)", shown.join(", "), names.len())
}
