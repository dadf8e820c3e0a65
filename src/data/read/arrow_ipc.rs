//! Arrow IPC: files (Feather version 2 among them) and streams.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;

use super::arrow_check::check;
use super::guard::guarded;
use super::{CHUNK_ROWS, Chunk, Reader, Schema, arrow};
use crate::error::{Error, Place, Result};

/// What an Arrow file begins with; a stream does not.
const MAGIC: &[u8] = b"ARROW1";
/// What the first version of Feather begins with.
const FEATHER_1: &[u8] = b"FEA1";

/// An Arrow file or stream, read forward.
pub(super) struct ArrowReader {
    file: Arc<Path>,
    schema: Schema,
    batches: Option<Batches>,
    /// What is left of the batch that is being handed out: writers put as many rows as they like
    /// into one.
    left: Option<RecordBatch>,
    row: u64,
    inexact: Vec<(usize, String)>,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

fn damaged(file: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::data(file, Place::default(), format!("not readable as Arrow IPC: {error}"))
        .with_help("is the file complete, and an Arrow file or stream?")
}

/// What is said of a file on which the decoder gives up.
const BROKEN: &str = "its contents contradict one another";

/// Opens it once more with the columns wanted; all of them for none.
fn open(path: &Path, projection: Option<Vec<usize>>) -> Result<(Schema, Batches)> {
    let failed = |error: std::io::Error| Error::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut head = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut head).map_err(failed)?;
    if head.starts_with(FEATHER_1) {
        return Err(Error::data(path, Place::default(), "Feather of version 1")
            .with_help("write it as version 2, which is an Arrow file"));
    }
    guarded(|| check(&mut file, head != MAGIC))
        .unwrap_or_else(|| Err(BROKEN.to_owned()))
        .map_err(|problem| damaged(path, &problem))?;
    file.rewind().map_err(failed)?;
    let file = BufReader::with_capacity(1 << 18, file);
    let opened = guarded(|| -> Result<(_, Batches), ArrowError> {
        if head == MAGIC {
            let reader = FileReader::try_new(file, projection)?;
            return Ok((reader.schema(), Box::new(reader)));
        }
        let reader = StreamReader::try_new(file, projection)?;
        Ok((reader.schema(), Box::new(reader)))
    });
    let opened = opened.ok_or_else(|| damaged(path, &BROKEN))?;
    let (schema, batches) = opened.map_err(|error| damaged(path, &error))?;
    Ok((arrow::schema(path, &schema, None)?, batches))
}

impl ArrowReader {
    /// Opens a file or a stream and reads its schema.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (schema, _) = open(path, None)?;
        Ok(Self {
            file: path.into(),
            schema,
            batches: None,
            left: None,
            row: 0,
            inexact: Vec::new(),
        })
    }

    /// The next batch that is not empty.
    fn next_batch(&mut self, wanted: &[bool]) -> Result<Option<RecordBatch>> {
        let mut batches = match self.batches.take() {
            Some(batches) => batches,
            None => open(&self.file, Some((0..wanted.len()).filter(|at| wanted[*at]).collect()))?.1,
        };
        let read = guarded(|| {
            let batch = batches.find(|batch| !batch.as_ref().is_ok_and(|b| b.num_rows() == 0));
            (batch, batches)
        });
        let wrong = |error: &dyn std::fmt::Display| {
            let place = Place { row: Some(self.row), ..Place::default() };
            let problem = format!("a batch of rows cannot be read: {error}");
            Error::data(&self.file, place, problem).with_help("is the file damaged, or cut short?")
        };
        let (batch, batches) = read.ok_or_else(|| wrong(&BROKEN))?;
        let batch = batch.transpose().map_err(|error| wrong(&error))?;
        self.batches = Some(batches);
        Ok(batch)
    }
}

impl Reader for ArrowReader {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn inexact(&self) -> Vec<(usize, String)> {
        self.inexact.clone()
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        let batch = match self.left.take() {
            Some(batch) => batch,
            None => match self.next_batch(wanted)? {
                Some(batch) => batch,
                None => return Ok(None),
            },
        };
        let rows = batch.num_rows().min(CHUNK_ROWS);
        self.left = (rows < batch.num_rows()).then(|| batch.slice(rows, batch.num_rows() - rows));
        let batch = batch.slice(0, rows);
        let (file, schema, row, inexact) = (&self.file, &self.schema, self.row, &mut self.inexact);
        let chunk = guarded(|| {
            arrow::note_inexact(&batch, wanted, inexact);
            arrow::chunk(file, schema, batch, wanted, row)
        });
        let chunk = chunk.ok_or_else(|| damaged(&self.file, &BROKEN))??;
        self.row += rows as u64;
        Ok(Some(chunk))
    }
}
