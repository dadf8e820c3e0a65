//! Tests of each format's reader: what it gives, and how it refuses what it cannot give.

mod arrays;
mod columnar;
mod hostile;
mod several;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Cells, Kind, open};
use crate::error::Result;

/// A folder of files.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).expect("write");
        self.path(name)
    }
}

/// All of a file: names and kinds, and each column's cells as text, those missing empty.
#[derive(Debug, PartialEq)]
struct Whole {
    columns: Vec<(String, Kind)>,
    header: bool,
    rows: Option<u64>,
    cells: Vec<Vec<String>>,
    inexact: Vec<(usize, String)>,
}

impl Whole {
    fn column(&self, name: &str) -> Vec<&str> {
        let at = self.columns.iter().position(|(own, _)| own == name).expect("a column");
        self.cells[at].iter().map(String::as_str).collect()
    }

    fn kind(&self, name: &str) -> &Kind {
        &self.columns.iter().find(|(own, _)| own == name).expect("a column").1
    }
}

fn read(file: &Path) -> Result<Whole> {
    let mut reader = open(file, &[])?;
    let schema = reader.schema().clone();
    let columns: Vec<_> =
        schema.columns.iter().map(|column| (column.name.clone(), column.kind.clone())).collect();
    let wanted: Vec<bool> =
        columns.iter().map(|(_, kind)| !matches!(kind, Kind::Unusable(_))).collect();
    let mut cells = vec![Vec::new(); columns.len()];
    while let Some(chunk) = reader.next_chunk(&wanted)? {
        for (all, own) in cells.iter_mut().zip(&chunk.columns) {
            match own {
                Cells::Skipped => {}
                Cells::Text(texts) => all.extend(texts.iter().map(str::to_owned)),
                Cells::Numbers(numbers) => all.extend((0..chunk.rows).map(|row| {
                    let number = numbers.get(row).expect("a number for each row");
                    if number.is_nan() { String::new() } else { number.to_string() }
                })),
            }
        }
    }
    let (header, rows, inexact) = (schema.header, schema.rows, reader.inexact());
    Ok(Whole { columns, header, rows, cells, inexact })
}

fn refused(file: &Path) -> String {
    read(file).map(|_| ()).expect_err("a bad file").to_string()
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
}
