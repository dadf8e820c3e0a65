//! Parquet files.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::guard::guarded;
use super::{CHUNK_ROWS, Chunk, Reader, Schema, arrow};
use crate::error::{Error, Place, Result};

/// A Parquet file, read forward.
pub(super) struct ParquetReader {
    file: Arc<Path>,
    schema: Schema,
    /// Taken when the first chunk says what is wanted.
    builder: Option<ParquetRecordBatchReaderBuilder<File>>,
    batches: Option<ParquetRecordBatchReader>,
    row: u64,
    inexact: Vec<(usize, String)>,
}

fn damaged(file: &Path, place: Place, error: &dyn std::fmt::Display) -> Error {
    Error::data(file, place, format!("not readable as Parquet: {error}"))
        .with_help("is the file complete, and Parquet?")
}

/// What is said of a file on which the decoder gives up.
const BROKEN: &str = "its contents contradict one another";

impl ParquetReader {
    /// Opens a file and reads its footer.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        let wrong = |error: &dyn std::fmt::Display| damaged(path, Place::default(), error);
        let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file))
            .ok_or_else(|| wrong(&BROKEN))?
            .map_err(|error| wrong(&error))?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).ok();
        let schema = arrow::schema(path, builder.schema(), rows)?;
        Ok(Self {
            file: path.into(),
            schema,
            builder: Some(builder),
            batches: None,
            row: 0,
            inexact: Vec::new(),
        })
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
        let here = Place { row: Some(self.row), ..Place::default() };
        let wrong = |error: &dyn std::fmt::Display| damaged(&self.file, here.clone(), error);
        if let Some(builder) = self.builder.take() {
            let roots = (0..wanted.len()).filter(|column| wanted[*column]);
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            let builder = builder.with_projection(mask).with_batch_size(CHUNK_ROWS);
            let batches = guarded(|| builder.build()).ok_or_else(|| wrong(&BROKEN))?;
            self.batches = Some(batches.map_err(|error| wrong(&error))?);
        }
        let Some(mut batches) = self.batches.take() else { return Ok(None) };
        let (file, schema, row) = (&self.file, &self.schema, self.row);
        let read = guarded(|| {
            let batch = match batches.next() {
                None => return Ok(None),
                Some(batch) => batch.map_err(|error| wrong(&error))?,
            };
            let chunk = arrow::chunk(file, schema, &batch, wanted, row)?;
            Ok(Some((batch, chunk, batches)))
        });
        let Some((batch, chunk, batches)) = read.ok_or_else(|| wrong(&BROKEN))?? else {
            return Ok(None);
        };
        self.batches = Some(batches);
        arrow::note_inexact(&batch, wanted, &mut self.inexact);
        self.row += chunk.rows as u64;
        Ok(Some(chunk))
    }
}
