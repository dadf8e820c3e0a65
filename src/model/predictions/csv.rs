//! Predictions as CSV.

use std::io;

use super::{Column, Format, Output};

/// A header, then a record a row.
pub(super) struct CsvFormat {
    /// The header, until it is written.
    header: Option<Vec<String>>,
}

impl CsvFormat {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { header: Some(names) }
    }
}

fn failed(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl Format for CsvFormat {
    fn write(&mut self, out: &mut Output, columns: &[Column]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        if let Some(header) = self.header.take() {
            writer.write_record(header).map_err(failed)?;
        }
        let rows = columns.first().map_or(0, |column| match column {
            Column::Numbers(values) => values.len(),
            Column::Floats(values) => values.len(),
            Column::Texts(values) => values.len(),
        });
        for row in 0..rows {
            for column in columns {
                match column {
                    Column::Numbers(values) if values[row].is_nan() => writer.write_field(""),
                    Column::Numbers(values) => writer.write_field(values[row].to_string()),
                    Column::Floats(values) => writer.write_field(values[row].to_string()),
                    Column::Texts(values) => writer.write_field(&values[row]),
                }
                .map_err(failed)?;
            }
            writer.write_record(None::<&[u8]>).map_err(failed)?;
        }
        writer.flush()
    }

    fn end(&mut self, _: &mut Output) -> io::Result<()> {
        Ok(())
    }
}
