//! What the settings say of a training file's columns: which are targets, and what each is for.

use std::path::Path;

use super::{columns_help, listed, names, no_such_column};
use crate::config::data::{ColumnConfig, ColumnReference, ColumnType, DataSettings, Task};
use crate::data::cell::column_key;
use crate::data::column::Role;
use crate::data::read::Schema;
use crate::data::split::Keys;
use crate::error::{Error, Result, did_you_mean};

/// The target columns' indices, in the order in which they are given.
pub(super) fn find_targets(schema: &Schema, settings: &DataSettings) -> Result<Vec<usize>> {
    let single = settings.target.len() == 1;
    let names = names(schema);
    let mut found = Vec::new();
    for (i, target) in settings.target.iter().enumerate() {
        let index = match target {
            ColumnReference::Index(index) => (*index < names.len()).then_some(*index),
            ColumnReference::Name(name) => names.iter().position(|known| known == name),
        };
        let path = if single { "data.target".to_owned() } else { format!("data.target[{i}]") };
        let Some(index) = index else {
            return Err(no_such_target(path, target, schema));
        };
        if found.contains(&index) {
            return Err(Error::config(path, format!("the column {target} is given twice")));
        }
        found.push(index);
    }
    if !found.is_empty() {
        return Ok(found);
    }
    if schema.matrix {
        let problem = format!("{} needs a target or a file of labels", schema.file.display());
        return Err(Error::config("data.labels", problem).with_help(
            "IDX and NPY usually keep labels in a file of their own: name it here, or the column of \
             the targets by its index in data.target",
        ));
    }
    Err(Error::config("data.target", "no target column is given").with_help(columns_help(&names)))
}

fn no_such_target(path: String, target: &ColumnReference, schema: &Schema) -> Error {
    let (names, file) = (names(schema), &schema.file);
    match target {
        ColumnReference::Name(name) if !schema.header => {
            let problem = format!("{} has no column {name:?}", file.display());
            let near = did_you_mean(name, schema.first.iter().map(String::as_str));
            let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
            let first = if schema.first.is_empty() {
                format!("it has {} columns", names.len())
            } else {
                format!("the first row is: {}", listed(&schema.first))
            };
            Error::config(path, problem).with_help(format!(
                "{near}no header was found, so columns go by their index, from 0; {first}"
            ))
        }
        _ => no_such_column(path, target, &names, file),
    }
}

/// Each column's role, from the settings.
pub(super) fn roles(
    schema: &Schema,
    targets: &[usize],
    mixed: &[usize],
    settings: &DataSettings,
) -> Result<Vec<Role>> {
    let (names, file) = (&names(schema), &schema.file);
    check_columns(names, file, settings)?;
    let soft = settings.task == Some(Task::Classification) && targets.len() > 1;
    let mut weights: Option<&str> = None;
    let split_by = Keys::of(names, file, settings)?.column();
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
            Some(ColumnType::Boolean) => Role::Boolean,
            Some(ColumnType::Date) => Role::Date,
            Some(ColumnType::Categorical) => Role::Categorical { stated: true },
            Some(ColumnType::Weight) => {
                check_weight_config(name, config, weights.replace(name))?;
                Role::Weight
            }
            None if split_by == Some(index) => Role::Ignore,
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
    let taken = |config: &ColumnConfig| {
        let stated = [
            ("scaling", config.scaling.is_some()),
            ("missing", config.missing.is_some()),
            ("encoding", config.encoding.is_some()),
            ("embedding_size", config.embedding_size.is_some()),
        ];
        stated.into_iter().find_map(|(key, is_stated)| is_stated.then_some(key))
    };
    if let Some(other) = config.and_then(taken) {
        return Err(Error::config(format!("{key}.{other}"), "the column holds the rows' weights")
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
        Some(ColumnType::Date) => Some("a date cannot be a target: give it as a number"),
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
    if config.is_some_and(|config| config.missing.is_some()) {
        return Err(Error::config(format!("{key}.missing"), "the column is the target")
            .with_help("remove the rows that lack it: a target is not filled"));
    }
    let categories = |config: &ColumnConfig| match (config.encoding, config.embedding_size) {
        (Some(_), _) => Some("encoding"),
        (None, Some(_)) => Some("embedding_size"),
        (None, None) => None,
    };
    if let Some(other) = config.and_then(categories) {
        return Err(Error::config(format!("{key}.{other}"), "the column is the target")
            .with_help("a target's classes are indices: leave it out"));
    }
    Ok(())
}
