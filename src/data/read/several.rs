//! Several files that a pattern such as `data/part-*.parquet` names, one behind the other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Chunk, Reader, Schema, open_one};
use crate::error::{Error, Place, Result};

/// What makes a path a pattern, where no file has that very name.
const WILDCARDS: [char; 3] = ['*', '?', '['];

/// The files that a path stands for: itself, or those that fit its pattern, sorted by name.
pub(in crate::data) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let text = path.to_string_lossy();
    if path.exists() || !text.contains(WILDCARDS) {
        return Ok(vec![path.to_owned()]);
    }
    let wrong = |problem: String| Error::data(path, Place::default(), problem);
    let found = glob::glob(&text)
        .map_err(|error| wrong(format!("not a pattern of file names: {error}")))?;
    let mut files = Vec::new();
    for file in found {
        let file = file.map_err(|error| {
            let path = error.path().to_owned();
            Error::io("read", &path, error.into())
        })?;
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).display();
        return Err(wrong("no file fits this pattern".to_owned()).with_help(format!(
            "see what is in {folder}; `*` stands for any characters of a name"
        )));
    }
    Ok(files)
}

/// Several files, read one after the other as if they were one.
pub(super) struct Several {
    schema: Schema,
    known: Vec<String>,
    files: std::vec::IntoIter<PathBuf>,
    reader: Box<dyn Reader>,
    /// For each column of the first file, its index in the one that is being read.
    places: Vec<usize>,
    inexact: Vec<(usize, String)>,
}

impl Several {
    /// Looks at the columns of all of them, and opens the first.
    pub(super) fn open(files: Vec<PathBuf>, known: &[&str]) -> Result<Self> {
        let mut files = files.into_iter();
        let reader = open_one(&files.next().unwrap_or_default(), known)?;
        let mut schema = reader.schema().clone();
        for file in files.as_slice() {
            let own = open_one(file, known)?;
            places(&schema, own.schema())?;
            schema.rows = schema.rows.zip(own.schema().rows).map(|(a, b)| a.saturating_add(b));
        }
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        let places = (0..schema.columns.len()).collect();
        Ok(Self { schema, known, files, reader, places, inexact: Vec::new() })
    }

    fn enter(&mut self, file: &Path) -> Result<()> {
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        self.reader = open_one(file, &known)?;
        self.places = places(&self.schema, self.reader.schema())?;
        Ok(())
    }
}

/// Where the columns of the first file stand in another one: by name, or by position where there
/// are no names.
fn places(first: &Schema, other: &Schema) -> Result<Vec<usize>> {
    let named = first.file.display();
    let differs = |place: Place, problem: String| {
        Err(Error::data(&other.file, place, problem)
            .with_help("files that are read as one have the same columns"))
    };
    if first.header != other.header {
        let (own, that) = if other.header { ("a", "none") } else { ("no", "one") };
        return differs(Place::default(), format!("it has {own} header, and {named} has {that}"));
    }
    let (expected, found) = (first.columns.len(), other.columns.len());
    if !first.header && expected != found {
        let problem = format!("expected {expected} columns as in {named}, found {found}");
        return differs(Place::default(), problem);
    }
    let places_of = |schema: &Schema| -> HashMap<String, usize> {
        schema.columns.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect()
    };
    let (known, own) = (places_of(first), places_of(other));
    let mut places = Vec::with_capacity(expected);
    for column in &first.columns {
        let Some(place) = own.get(&column.name).copied() else {
            let problem = format!("no column {:?}, which {named} has", column.name);
            return differs(Place::default(), problem);
        };
        let (kind, expected) = (&other.columns[place].kind, &column.kind);
        if kind != expected {
            let problem = format!("the column holds {kind}, and in {named} {expected}");
            return differs(Place::column(&column.name), problem);
        }
        places.push(place);
    }
    if let Some(more) = other.columns.iter().find(|column| !known.contains_key(&column.name)) {
        let problem = format!("{named} has no such column");
        return differs(Place::column(&more.name), problem);
    }
    Ok(places)
}

impl Reader for Several {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn inexact(&self) -> Vec<(usize, String)> {
        let mut all = self.inexact.clone();
        for (own, value) in self.reader.inexact() {
            let column = self.places.iter().position(|place| *place == own).unwrap_or(own);
            if all.iter().all(|(known, _)| *known != column) {
                all.push((column, value));
            }
        }
        all
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        loop {
            let mut own = vec![false; wanted.len()];
            for (place, wanted) in self.places.iter().zip(wanted) {
                own[*place] = *wanted;
            }
            if let Some(mut chunk) = self.reader.next_chunk(&own)? {
                let mut columns: Vec<_> = chunk.columns.into_iter().map(Some).collect();
                let moved = self.places.iter().map(|place| columns[*place].take());
                let moved: Option<Vec<_>> = moved.collect();
                chunk.columns = moved.ok_or_else(|| Error::internal("two columns in one place"))?;
                return Ok(Some(chunk));
            }
            self.inexact = self.inexact();
            let Some(next) = self.files.next() else { return Ok(None) };
            self.enter(&next)?;
        }
    }
}
