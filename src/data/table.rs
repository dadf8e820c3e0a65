//! The training file as raw columns, each with its role.

use std::path::{Path, PathBuf};

use super::cell::{check_distribution, column_key};
use super::column::{Builder, Column, Role, TargetValues};
use super::idx::Matrix;
use super::images::read_idx;
use super::source::Format;
use super::text::TextFile;
use crate::config::data::{ColumnConfig, ColumnReference, ColumnType, DataSettings, Scaling, Task};
use crate::error::{Error, Place, Result, did_you_mean};

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
    /// The values of inputs that stand in a matrix.
    pub(super) matrix: Option<Matrix>,
}

/// An input column, raw.
pub(super) struct Input {
    pub(super) name: String,
    pub(super) index: usize,
    /// Scaling of this column, where the user gave it one of its own.
    pub(super) scaling: Option<Scaling>,
    /// Its values; `Ignored` when they stand in the table's matrix.
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
        let file = &settings.train;
        match Format::of(file)? {
            Format::Text => read_text(file, settings),
            Format::Idx => read_idx(file, settings),
        }
    }
}

fn read_text(file: &Path, settings: &DataSettings) -> Result<Table> {
    if settings.labels.is_some() {
        let problem = format!("{} holds its targets itself", file.display());
        return Err(Error::config("data.labels", problem)
            .with_help("leave data.labels out and name the column in data.target"));
    }
    let mut overrides: Vec<usize> = Vec::new();
    // At most two readings: the second one knows which columns mix numbers and text.
    loop {
        let known: Vec<&str> = settings
            .target
            .iter()
            .filter_map(|target| match target {
                ColumnReference::Name(name) => Some(name.as_str()),
                ColumnReference::Index(_) => None,
            })
            .chain(settings.columns.keys().map(String::as_str))
            .collect();
        let mut text = TextFile::open(file, &known)?;
        let names = text.names.clone();
        let targets = find_targets(&text, file, settings)?;
        let roles = roles(&names, &targets, &overrides, file, settings)?;
        let (rows, columns) = read_columns(&mut text, file, &roles)?;
        let mixed: Vec<usize> =
            (0..names.len()).filter(|index| matches!(columns[*index], Column::Mixed)).collect();
        if mixed.is_empty() || !overrides.is_empty() {
            return assemble(file, &text, rows, columns, &targets, settings);
        }
        overrides = mixed;
    }
}

fn read_columns(text: &mut TextFile, file: &Path, roles: &[Role]) -> Result<(usize, Vec<Column>)> {
    let names = text.names.clone();
    let mut builders: Vec<Builder> =
        names.iter().zip(roles).map(|(name, role)| Builder::new(name, *role)).collect();
    let probabilities: Vec<usize> =
        (0..roles.len()).filter(|index| roles[*index] == Role::Probability).collect();
    let mut rows = 0;
    while let Some(record) = text.next_record()? {
        for (index, builder) in builders.iter_mut().enumerate() {
            builder.push(record.line, record.field(index)).map_err(|fault| {
                Error::data(file, Place::field(record.line, &names[index]), fault.problem)
                    .with_help(fault.help)
            })?;
        }
        if probabilities.len() > 1 {
            let row = probabilities.iter().map(|index| builders[*index].last_number());
            check_distribution(row).map_err(|fault| {
                Error::data(file, Place::line(record.line), fault.problem).with_help(fault.help)
            })?;
        }
        rows += 1;
    }
    if rows == 0 {
        return Err(no_rows(file));
    }
    let columns = builders.into_iter().map(|builder| builder.finish(file));
    Ok((rows, columns.collect::<Result<_>>()?))
}

/// The error of a header alone.
pub(super) fn no_rows(file: &Path) -> Error {
    Error::data(file, Place::default(), "there are no rows, only a header")
}

fn assemble(
    file: &Path,
    text: &TextFile,
    rows: usize,
    columns: Vec<Column>,
    targets: &[usize],
    settings: &DataSettings,
) -> Result<Table> {
    let total = columns.len();
    let mut inputs = Vec::new();
    let mut found = Vec::new();
    let mut weights = None;
    for (index, column) in columns.into_iter().enumerate() {
        let name = text.names[index].clone();
        let config = settings.columns.get(&name);
        match column {
            Column::Ignored | Column::Mixed => {}
            Column::Weights(values) => weights = Some(RawWeights { name, index, values }),
            Column::Target(values) => {
                let stated = config.and_then(|config| config.kind);
                found.push((index, RawTarget { name, index: Some(index), stated, values }));
            }
            column @ (Column::Numbers(_) | Column::Categories(_)) => {
                let scaling = config.and_then(|config| config.scaling);
                if scaling.is_some() && matches!(column, Column::Categories(_)) {
                    let path = format!("{}.scaling", column_key(&name));
                    return Err(Error::config(path, "the column is categorical")
                        .with_help("only numeric columns are scaled"));
                }
                inputs.push(Input { name, index, scaling, column });
            }
        }
    }
    if inputs.is_empty() {
        return Err(no_inputs(file));
    }
    // In the order in which the user names them.
    found.sort_by_key(|(index, _)| targets.iter().position(|target| target == index));
    let targets = found.into_iter().map(|(_, target)| target).collect();
    Ok(Table {
        file: file.to_owned(),
        header: text.header,
        columns: total,
        rows,
        inputs,
        targets,
        weights,
        matrix: None,
    })
}

/// The error of a file without inputs.
pub(super) fn no_inputs(file: &Path) -> Error {
    Error::data(file, Place::default(), "no input column is left")
        .with_help("the file needs a column that is neither a target nor a weight, nor ignored")
}

/// The target columns' indices, in the order in which they are given.
fn find_targets(text: &TextFile, file: &Path, settings: &DataSettings) -> Result<Vec<usize>> {
    let single = settings.target.len() == 1;
    let mut found = Vec::new();
    for (i, target) in settings.target.iter().enumerate() {
        let index = match target {
            ColumnReference::Index(index) => (*index < text.names.len()).then_some(*index),
            ColumnReference::Name(name) => text.names.iter().position(|known| known == name),
        };
        let path = if single { "data.target".to_owned() } else { format!("data.target[{i}]") };
        let Some(index) = index else {
            return Err(no_such_target(path, target, text, file));
        };
        if found.contains(&index) {
            return Err(Error::config(path, format!("the column {target} is given twice")));
        }
        found.push(index);
    }
    if found.is_empty() {
        return Err(Error::config("data.target", "no target column is given")
            .with_help(columns_help(&text.names)));
    }
    Ok(found)
}

fn no_such_target(path: String, target: &ColumnReference, text: &TextFile, file: &Path) -> Error {
    let file = file.display();
    match target {
        ColumnReference::Index(index) => {
            let count = text.names.len();
            let problem = format!("{file} has no column {index}: it has {count}, counted from 0");
            Error::config(path, problem).with_help(columns_help(&text.names))
        }
        ColumnReference::Name(name) => {
            let problem = format!("{file} has no column {name:?}");
            let near = did_you_mean(name, text.first.iter().map(String::as_str));
            let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
            let help = if text.header {
                format!("{near}{}", columns_help(&text.names))
            } else {
                format!(
                    "{near}no header was found, so columns go by their index, from 0; the first \
                     row is: {}",
                    listed(&text.first)
                )
            };
            Error::config(path, problem).with_help(help)
        }
    }
}

fn columns_help(names: &[String]) -> String {
    format!("its columns: {}", listed(names))
}

/// Names for a message: all of them, or the first ones and their number.
pub(super) fn listed(names: &[String]) -> String {
    if names.len() <= MOST_LISTED {
        return names.join(", ");
    }
    format!("{}, ... ({} in all)", names[..MOST_LISTED].join(", "), names.len())
}

/// Each column's role, from the settings.
pub(super) fn roles(
    names: &[String],
    targets: &[usize],
    mixed: &[usize],
    file: &Path,
    settings: &DataSettings,
) -> Result<Vec<Role>> {
    check_columns(names, file, settings)?;
    let soft = settings.task == Some(Task::Classification) && targets.len() > 1;
    let mut weights: Option<&str> = None;
    let mut roles = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let config = settings.columns.get(name);
        if targets.contains(&index) {
            check_target_config(name, config)?;
            roles.push(if soft { Role::Probability } else { Role::Target });
            continue;
        }
        roles.push(match config.and_then(|config| config.kind) {
            Some(ColumnType::Ignore) => Role::Ignore,
            Some(ColumnType::Numeric) => Role::Numeric,
            Some(ColumnType::Categorical) => Role::Categorical { stated: true },
            Some(ColumnType::Weight) => {
                check_weight_config(name, config, weights.replace(name))?;
                Role::Weight
            }
            None if mixed.contains(&index) => Role::Categorical { stated: false },
            None => Role::Auto,
        });
    }
    Ok(roles)
}

/// Checks what is said of a column of weights; `before` is another one.
fn check_weight_config(
    name: &str,
    config: Option<&ColumnConfig>,
    before: Option<&str>,
) -> Result<()> {
    let key = column_key(name);
    if let Some(before) = before {
        let problem = format!("the column {before:?} holds the rows' weights already");
        return Err(Error::config(format!("{key}.type"), problem)
            .with_help("one column of weights is possible; ignore the other one"));
    }
    if config.is_some_and(|config| config.scaling.is_some()) {
        return Err(Error::config(format!("{key}.scaling"), "the column holds the rows' weights")
            .with_help("weights are taken as they are"));
    }
    Ok(())
}

/// Every name in `data.columns` must be a column's.
fn check_columns(names: &[String], file: &Path, settings: &DataSettings) -> Result<()> {
    for name in settings.columns.keys() {
        if !names.contains(name) {
            let near = did_you_mean(name, names.iter().map(String::as_str));
            let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
            let problem = format!("{} has no column {name:?}", file.display());
            return Err(Error::config(column_key(name), problem)
                .with_help(format!("{near}{}", columns_help(names))));
        }
    }
    Ok(())
}

fn check_target_config(name: &str, config: Option<&ColumnConfig>) -> Result<()> {
    let key = column_key(name);
    let help = match config.and_then(|config| config.kind) {
        Some(ColumnType::Ignore) => Some("a target cannot be ignored"),
        Some(ColumnType::Weight) => Some("the rows' weights need a column of their own"),
        _ => None,
    };
    if let Some(help) = help {
        let path = format!("{key}.type");
        return Err(Error::config(path, "the column is the target").with_help(help));
    }
    if config.is_some_and(|config| config.scaling.is_some()) {
        return Err(Error::config(format!("{key}.scaling"), "the column is the target")
            .with_help("a target is scaled by data.target_scaling"));
    }
    Ok(())
}
