//! Parquet files. Columns are decoded on as many threads as there are, each of which has its own.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Fields, Schema as ArrowSchema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Encoding;
use parquet::file::metadata::ColumnChunkMetaData;
use rayon::prelude::*;

use super::guard::guarded;
use super::{CHUNK_ROWS, Cells, Chunk, Places, Reader, Schema, arrow, parquet_check};
use crate::error::{Error, Place, Result};

/// A Parquet file, read forward.
pub(super) struct ParquetReader {
    file: Arc<Path>,
    schema: Schema,
    metadata: ArrowReaderMetadata,
    /// None before the first chunk says what is wanted, and after an error.
    parts: Option<Vec<Part>>,
    row: u64,
    inexact: Vec<(usize, String)>,
}

/// Some of the columns that are wanted.
struct Part {
    wanted: Vec<bool>,
    batches: ParquetRecordBatchReader,
}

fn damaged(file: &Path, place: Place, error: &dyn std::fmt::Display) -> Error {
    Error::data(file, place, format!("not readable as Parquet: {error}"))
        .with_help("is the file complete, and Parquet?")
}

/// What is said of a file on which the decoder gives up.
const BROKEN: &str = "its contents contradict one another";

/// The most bytes of a dictionary, as it is stored, that is left as it is: of categories, not of texts that are
/// nearly all different.
const MOST_DICTIONARY: i64 = 64 << 10;

/// Leaves columns of text, where the file has each text once and rows that refer to them, as they are.
fn with_dictionaries(
    metadata: ArrowReaderMetadata,
) -> Result<ArrowReaderMetadata, parquet::errors::ParquetError> {
    let of_file = metadata.metadata();
    let types = metadata.parquet_schema();
    let is_dictionary = |column: &ColumnChunkMetaData| {
        let encodings = column.page_encoding_stats_mask();
        let is_only = |encoding| encodings.is_some_and(|encodings| encodings.is_only(encoding));
        // Each chunk has all of them.
        let bytes = column
            .dictionary_page_offset()
            .map(|start| column.data_page_offset().saturating_sub(start));
        bytes.is_some_and(|bytes| bytes <= MOST_DICTIONARY)
            && (is_only(Encoding::RLE_DICTIONARY) || is_only(Encoding::PLAIN_DICTIONARY))
    };
    let mut shares = vec![true; metadata.schema().fields().len()];
    for group in of_file.row_groups() {
        for (leaf, column) in group.columns().iter().enumerate() {
            if let Some(shares) = shares.get_mut(types.get_column_root_idx(leaf)) {
                *shares &= is_dictionary(column);
            }
        }
    }
    let fields = metadata.schema().fields().iter().zip(shares).map(|(field, shares)| {
        match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 if shares => {
                let texts = Box::new(field.data_type().clone());
                let of = DataType::Dictionary(Box::new(DataType::Int32), texts);
                Arc::new(field.as_ref().clone().with_data_type(of))
            }
            _ => Arc::clone(field),
        }
    });
    let schema = ArrowSchema::new_with_metadata(
        fields.collect::<Fields>(),
        metadata.schema().metadata().clone(),
    );
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(Arc::clone(of_file), options)
}

impl ParquetReader {
    /// Opens a file and reads its footer.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        let wrong = |error: &dyn std::fmt::Display| damaged(path, Place::default(), error);
        parquet_check::footer(&file).map_err(|problem| wrong(&problem))?;
        let load = || ArrowReaderMetadata::load(&file, ArrowReaderOptions::default());
        let metadata =
            guarded(load).ok_or_else(|| wrong(&BROKEN))?.map_err(|error| wrong(&error))?;
        let rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).ok();
        let schema = arrow::schema(path, metadata.schema(), rows)?;
        let metadata = guarded(|| with_dictionaries(metadata)).ok_or_else(|| wrong(&BROKEN))?;
        let metadata = metadata.map_err(|error| wrong(&error))?;
        Ok(Self { file: path.into(), schema, metadata, parts: None, row: 0, inexact: Vec::new() })
    }

    /// Shares the wanted columns out among the threads, alike in bytes.
    fn parts(&self, wanted: &[bool]) -> Result<Vec<Part>> {
        let mut bytes = vec![0_u64; wanted.len()];
        let types = self.metadata.parquet_schema();
        for group in self.metadata.metadata().row_groups() {
            for (leaf, column) in group.columns().iter().enumerate() {
                if let Some(bytes) = bytes.get_mut(types.get_column_root_idx(leaf)) {
                    let own = u64::try_from(column.uncompressed_size()).unwrap_or_default();
                    *bytes = bytes.saturating_add(own);
                }
            }
        }
        let mut columns: Vec<usize> = (0..wanted.len()).filter(|at| wanted[*at]).collect();
        let threads = rayon::current_num_threads().min(columns.len()).max(1);
        columns.sort_by_key(|at| std::cmp::Reverse(bytes[*at]));
        let mut shares = vec![(0_u64, vec![false; wanted.len()]); threads];
        for column in columns {
            if let Some((held, share)) = shares.iter_mut().min_by_key(|(held, _)| *held) {
                *held = held.saturating_add(bytes[column].max(1));
                share[column] = true;
            }
        }
        let (file, metadata) = (&self.file, &self.metadata);
        let opened = shares.into_par_iter().map(|(_, wanted)| Part::open(file, metadata, wanted));
        opened.collect()
    }
}

/// Checks the pages of the wanted columns.
fn check(file: &Arc<File>, metadata: &ArrowReaderMetadata, wanted: &[bool]) -> Result<(), String> {
    let types = metadata.parquet_schema();
    for group in metadata.metadata().row_groups() {
        let rows = usize::try_from(group.num_rows()).map_err(|_| BROKEN)?;
        for (leaf, column) in group.columns().iter().enumerate() {
            if wanted.get(types.get_column_root_idx(leaf)) == Some(&true) {
                parquet_check::column(file, column, rows)?;
            }
        }
    }
    Ok(())
}

/// Rows of a part's columns, the others skipped, and the first number of each column that a 64-bit float
/// cannot hold.
type PartOfChunk = (Chunk, Vec<(usize, String)>);

impl Part {
    /// Checks what is wanted, and makes ready to read it.
    fn open(path: &Path, metadata: &ArrowReaderMetadata, wanted: Vec<bool>) -> Result<Self> {
        let wrong = |error: &dyn std::fmt::Display| damaged(path, Place::default(), error);
        // A file opened once more: handles that are cloned share where they stand.
        let open = || File::open(path).map_err(|error| Error::io("read", path, error));
        let file = Arc::new(open()?);
        guarded(|| check(&file, metadata, &wanted))
            .unwrap_or_else(|| Err(BROKEN.to_owned()))
            .map_err(|problem| wrong(&problem))?;
        let file = open()?;
        let batches = guarded(|| {
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
            let roots = (0..wanted.len()).filter(|column| wanted[*column]);
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            builder.with_projection(mask).with_batch_size(CHUNK_ROWS).build()
        });
        let batches = batches.ok_or_else(|| wrong(&BROKEN))?.map_err(|error| wrong(&error))?;
        Ok(Self { wanted, batches })
    }

    /// The next rows; none at the end.
    fn next_chunk(
        &mut self,
        file: &Arc<Path>,
        schema: &Schema,
        row: u64,
    ) -> Result<Option<PartOfChunk>> {
        let here = Place { row: Some(row), ..Place::default() };
        let wrong = |error: &dyn std::fmt::Display| damaged(file, here.clone(), error);
        let read = guarded(|| {
            let batch = match self.batches.next() {
                None => return Ok(None),
                Some(batch) => batch.map_err(|error| wrong(&error))?,
            };
            let mut inexact = Vec::new();
            arrow::note_inexact(&batch, &self.wanted, &mut inexact);
            Ok(Some((arrow::chunk(file, schema, batch, &self.wanted, row)?, inexact)))
        });
        read.ok_or_else(|| wrong(&BROKEN))?
    }
}

impl Reader for ParquetReader {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn inexact(&self) -> Vec<(usize, String)> {
        self.inexact.clone()
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None if self.row > 0 => return Ok(None),
            None => self.parts(wanted)?,
        };
        let (file, schema, row) = (&self.file, &self.schema, self.row);
        let read: Vec<Result<Option<_>>> =
            parts.par_iter_mut().map(|part| part.next_chunk(file, schema, row)).collect();
        let mut columns = vec![Cells::Skipped; wanted.len()];
        let mut lost = Vec::new();
        let mut rows = None;
        for (read, part) in read.into_iter().zip(&parts) {
            let own = read?;
            let found = own.as_ref().map_or(0, |(chunk, _)| chunk.rows);
            if *rows.get_or_insert(found) != found {
                let here = Place { row: Some(row), ..Place::default() };
                return Err(damaged(file, here, &"its columns differ in length"));
            }
            let Some((chunk, inexact)) = own else { continue };
            for (at, cells) in chunk.columns.into_iter().enumerate() {
                if part.wanted[at] {
                    columns[at] = cells;
                }
            }
            lost.extend(inexact);
        }
        // In the columns' order, however they were shared out.
        lost.sort_by_key(|(column, _)| *column);
        for (column, value) in lost {
            if self.inexact.iter().all(|(known, _)| *known != column) {
                self.inexact.push((column, value));
            }
        }
        let rows = rows.unwrap_or(0);
        if rows == 0 {
            return Ok(None);
        }
        self.parts = Some(parts);
        self.row = row.saturating_add(rows as u64);
        Ok(Some(Chunk { file: Arc::clone(&self.file), rows, places: Places::Rows(row), columns }))
    }
}
