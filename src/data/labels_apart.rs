//! Labels in a file of their own: one column, a row for each row of the inputs.

use std::path::Path;

use super::column::{Builder, Column, Role, TargetValues};
use super::read::{self, Chunk, Schema};
use crate::config::data::CategoryEncoding;
use crate::error::{Error, Place, Result};

/// Hands the chunks of a file of labels to `each`; `rows` are those of `file`, the inputs.
pub(super) fn read_labels(
    labels: &Path,
    rows: usize,
    file: &Path,
    each: &mut dyn FnMut(&Schema, &Chunk) -> Result<()>,
) -> Result<()> {
    let mut reader = read::open(labels, &[])?;
    let schema = reader.schema().clone();
    if schema.columns.len() != 1 {
        let problem =
            format!("expected labels, 1 value a row; found {} values a row", schema.columns.len());
        return Err(Error::data(labels, Place::default(), problem)
            .with_help("is it the file of the inputs?"));
    }
    let mut found = 0;
    while let Some(chunk) = reader.next_chunk(&[true])? {
        found += chunk.rows;
        each(&schema, &chunk)?;
    }
    if found != rows {
        let problem = format!("{found} labels, but {} has {rows} rows", file.display());
        return Err(
            Error::data(labels, Place::default(), problem).with_help("the two files go row by row")
        );
    }
    Ok(())
}

/// Labels as a target column.
pub(super) fn target(labels: &Path, rows: usize, file: &Path) -> Result<TargetValues> {
    let mut builder = Builder::new("label", Role::Target, CategoryEncoding::Auto, true, true);
    read_labels(labels, rows, file, &mut |schema, chunk| {
        builder.take(chunk, &schema.columns[0].kind, &chunk.columns[0]).map_err(|(row, fault)| {
            Error::data(labels, chunk.place(row, None), fault.problem).with_help(fault.help)
        })
    })?;
    match builder.finish(labels)? {
        Column::Target(values) => Ok(values),
        _ => Err(Error::internal("a target column was not read as one")),
    }
}
