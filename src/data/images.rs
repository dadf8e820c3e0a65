//! IDX files: images as a table, and the labels beside them.

use std::path::Path;

use super::cell::column_key;
use super::column::{Builder, Column, Role, TargetValues};
use super::idx::{self, Matrix};
use super::source::Format;
use super::table::{Input, RawTarget, Table, no_inputs, roles};
use crate::config::data::DataSettings;
use crate::error::{Error, Place, Result};

/// Reads a training file of images, and its labels.
pub(super) fn read_idx(file: &Path, settings: &DataSettings) -> Result<Table> {
    let Some(labels) = &settings.labels else {
        let problem = format!("{} needs a file of labels beside it", file.display());
        return Err(Error::config("data.labels", problem)
            .with_help("IDX keeps images and labels in files of their own"));
    };
    if !settings.target.is_empty() {
        return Err(Error::config("data.target", "the labels are in a file of their own")
            .with_help("leave data.target out where data.labels is given"));
    }
    let matrix = idx::read(file)?;
    let values = idx_target(labels, &matrix, file)?;
    let names: Vec<String> = (0..matrix.width).map(|index| index.to_string()).collect();
    let inputs = roles(&names, &[], &[], file, settings)?;
    let mut kept = Vec::new();
    for (index, (name, role)) in names.into_iter().zip(inputs).enumerate() {
        if matches!(role, Role::Categorical { .. } | Role::Weight) {
            let path = format!("{}.type", column_key(&name));
            return Err(Error::config(path, "the values of an IDX file are numeric inputs")
                .with_help("only numeric and ignore are possible"));
        }
        if role != Role::Ignore {
            let scaling = settings.columns.get(&name).and_then(|config| config.scaling);
            kept.push(Input { name, index, scaling, column: Column::Ignored });
        }
    }
    if kept.is_empty() {
        return Err(no_inputs(file));
    }
    Ok(Table {
        file: file.to_owned(),
        header: false,
        columns: matrix.width,
        rows: matrix.rows,
        inputs: kept,
        targets: vec![RawTarget { name: "label".to_owned(), index: None, stated: None, values }],
        weights: None,
        matrix: Some(matrix),
    })
}

/// The labels of an IDX file as a target column.
fn idx_target(labels: &Path, rows: &Matrix, file: &Path) -> Result<TargetValues> {
    let labels_read = read_labels(labels, rows.rows, file)?;
    let mut builder = Builder::new("label", Role::Target);
    for (row, label) in labels_read.iter().enumerate() {
        let line = u64::try_from(row).unwrap_or(u64::MAX);
        builder.push(line, &label.to_string()).map_err(|fault| {
            Error::data(labels, Place::default(), fault.problem).with_help(fault.help)
        })?;
    }
    match builder.finish(labels)? {
        Column::Target(values) => Ok(values),
        _ => Err(Error::internal("a target column was not read as one")),
    }
}

/// Reads a file of labels for `rows` rows of `file`: one number a row.
pub(super) fn read_labels(labels: &Path, rows: usize, file: &Path) -> Result<Vec<f64>> {
    if Format::of(labels)? != Format::Idx {
        return Err(Error::data(labels, Place::default(), "a file of labels must be IDX")
            .with_help("targets in a CSV file stand beside the inputs, in a column of their own"));
    }
    let matrix = idx::read(labels)?;
    if matrix.width != 1 {
        let problem = format!(
            "expected labels, 1 dimension; found {} dimensions, {} values a row",
            matrix.dimensions, matrix.width
        );
        return Err(Error::data(labels, Place::byte(3), problem).with_help("is it the images?"));
    }
    if matrix.rows != rows {
        let problem = format!("{} labels, but {} has {rows} rows", matrix.rows, file.display());
        return Err(Error::data(labels, Place::byte(4), problem));
    }
    Ok((0..rows).map(|row| matrix.get(row, 0)).collect())
}
