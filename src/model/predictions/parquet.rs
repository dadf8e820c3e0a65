//! Predictions as Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::{Column, Format, Output};

/// Rows, compressed with Snappy, in groups of up to a million.
pub(super) struct ParquetFormat {
    names: Vec<String>,
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl ParquetFormat {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names, writer: None }
    }
}

fn failed(error: parquet::errors::ParquetError) -> io::Error {
    io::Error::other(error)
}

impl Format for ParquetFormat {
    fn write(&mut self, out: &mut Output, columns: &[Column]) -> io::Result<()> {
        let arrays = columns.iter().map(|column| -> ArrayRef {
            match column {
                Column::Numbers(values) => Arc::new(Float64Array::from_iter(
                    values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())),
                )),
                Column::Floats(values) => {
                    Arc::new(Float32Array::from_iter_values(values.iter().copied()))
                }
                Column::Texts(values) => Arc::new(StringArray::from_iter_values(values)),
            }
        });
        let named = self
            .names
            .iter()
            .zip(arrays)
            .zip(columns)
            .map(|((name, array), column)| (name, array, matches!(column, Column::Numbers(_))));
        let batch = RecordBatch::try_from_iter_with_nullable(named).map_err(io::Error::other)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let properties =
                    WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let new = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties));
                self.writer.insert(new.map_err(failed)?)
            }
        };
        writer.write(&batch).map_err(failed)?;
        // What is finished goes out; the writer keeps the row group that is being filled.
        let bytes = std::mem::take(writer.inner_mut());
        out.write_all(&bytes)
    }

    fn end(&mut self, out: &mut Output) -> io::Result<()> {
        match self.writer.take() {
            Some(writer) => out.write_all(&writer.into_inner().map_err(failed)?),
            None => Ok(()),
        }
    }
}
