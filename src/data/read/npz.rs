//! NumPy's archives of arrays: every array of one dimension is a column of its name, and those of
//! more give a column `{name}_{index}` for each value of a row. An archive of one array alone is
//! read as that array's own file would be.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

use super::npy::NpyReader;
use super::{Chunk, Places, Reader, Schema, SchemaColumn};
use crate::data::memory;
use crate::error::{Error, Place, Result, size};

/// The most arrays.
const MOST_ARRAYS: usize = 10_000;

/// An archive, whose arrays are held in memory, read forward side by side.
pub(super) struct NpzReader {
    file: Arc<Path>,
    schema: Schema,
    arrays: Vec<NpyReader>,
    row: u64,
}

fn damaged(file: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::data(file, Place::default(), format!("not readable as NPZ: {error}"))
        .with_help("is the file complete, and an archive of numpy.savez?")
}

impl NpzReader {
    /// Opens an archive and reads its arrays.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file: Arc<Path> = path.into();
        let opened = File::open(path).map_err(|error| Error::io("read", path, error))?;
        let mut archive = ZipArchive::new(opened).map_err(|error| damaged(path, &error))?;
        if archive.len() > MOST_ARRAYS {
            let problem = format!("{} arrays, and {MOST_ARRAYS} is the most", archive.len());
            return Err(Error::data(path, Place::default(), problem));
        }
        // A few bytes could be the content of thousands of arrays.
        if archive.has_overlapping_entries().map_err(|error| damaged(path, &error))? {
            return Err(damaged(path, &"arrays lie over one another"));
        }
        let mut arrays = Vec::new();
        let free = memory::available().unwrap_or(u64::MAX);
        let mut held = 0_u64;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| damaged(path, &error))?;
            let name = entry.name().map_err(|error| damaged(path, &error))?.into_owned();
            let Some(name) = name.strip_suffix(".npy") else { continue };
            let mut bytes = Vec::new();
            // What the directory claims is the most that is read, and memory grows with what comes.
            let claimed = entry.size();
            held = held.saturating_add(claimed);
            if held > free {
                let (held, free) = (size(held), size(free));
                let problem = format!("its arrays take {held} or more, and {free} are free");
                return Err(Error::data(path, Place::default(), problem)
                    .with_help("save them as .npy or Parquet, of which parts are read at a time"));
            }
            entry
                .by_ref()
                .take(claimed)
                .read_to_end(&mut bytes)
                .map_err(|error| damaged(path, &format!("{name}: {error}")))?;
            arrays.push((name.to_owned(), NpyReader::of_archive(&file, name, bytes)?));
        }
        let Some((first, reader)) = arrays.first() else {
            return Err(Error::data(path, Place::default(), "there is no array in the archive")
                .with_help("is it one of numpy.savez?"));
        };
        let (rows, first) = (reader.schema().rows, first.clone());
        if let Some((other, reader)) = arrays.iter().find(|(_, r)| r.schema().rows != rows) {
            let shown = |rows: Option<u64>| rows.unwrap_or(0);
            let problem = format!(
                "the array {first:?} has {} rows and {other:?} has {}",
                shown(rows),
                shown(reader.schema().rows)
            );
            return Err(Error::data(path, Place::default(), problem)
                .with_help("a table's columns are of one length: save other arrays elsewhere"));
        }
        let alone = arrays.len() == 1;
        let mut columns: Vec<SchemaColumn> = Vec::new();
        for (name, reader) in &arrays {
            let own = &reader.schema().columns;
            columns.extend(own.iter().map(|column| SchemaColumn {
                name: match own.len() {
                    _ if alone => column.name.clone(),
                    1 => name.clone(),
                    _ => format!("{name}_{}", column.name),
                },
                kind: column.kind.clone(),
            }));
        }
        let schema = Schema {
            file: path.to_owned(),
            header: !alone,
            columns,
            first: Vec::new(),
            rows,
            matrix: alone,
        };
        let mut names = std::collections::HashSet::new();
        if let Some(twice) = schema.columns.iter().find(|column| !names.insert(&column.name)) {
            return Err(Error::data(
                path,
                Place::column(&twice.name),
                "two columns have this name",
            ));
        }
        let arrays = arrays.into_iter().map(|(_, reader)| reader).collect();
        Ok(Self { file, schema, arrays, row: 0 })
    }
}

impl Reader for NpzReader {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn inexact(&self) -> Vec<(usize, String)> {
        let mut first = 0;
        let mut all = Vec::new();
        for array in &self.arrays {
            all.extend(array.inexact().into_iter().map(|(column, value)| (first + column, value)));
            first += array.schema().columns.len();
        }
        all
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        let rows = self.arrays.iter().map(NpyReader::rows_at_once).min().unwrap_or(0);
        if rows == 0 {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(wanted.len());
        for array in &mut self.arrays {
            let first = columns.len();
            let own = wanted.get(first..first + array.schema().columns.len()).unwrap_or(&[]);
            columns.extend(array.read_rows(rows, own)?);
        }
        let places = Places::Rows(self.row);
        self.row += rows as u64;
        Ok(Some(Chunk { file: Arc::clone(&self.file), rows, places, columns }))
    }
}
