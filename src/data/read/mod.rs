//! Readers, one file a format: rows come some thousands at a time, column by column.

mod arrow;
mod arrow_check;
mod arrow_ipc;
mod blocks;
mod chunk;
mod columns;
mod fields;
mod guard;
mod idx;
mod npy;
mod npz;
mod parquet;
mod parquet_check;
mod several;
mod source;
mod text;
mod values;

#[cfg(test)]
mod tests;

pub use columns::Columns;

pub(super) use chunk::{Cells, Chunk, Kind, Numbers, Places, Schema, SchemaColumn, Texts};
pub(super) use several::files;

use std::path::Path;

use crate::error::Result;
use source::Format;

/// Rows of a chunk, as near as a format allows.
pub(super) const CHUNK_ROWS: usize = 8192;

/// A file, or several, read forward.
pub(super) trait Reader: Send {
    /// What is known before a row is read.
    fn schema(&self) -> &Schema;

    /// The next rows, of which only `wanted` columns are kept; none at the end. The same columns are
    /// wanted in every call.
    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>>;

    /// Columns of the rows read so far with a number that a 64-bit float cannot hold, and such a
    /// number as it stands in the file.
    fn inexact(&self) -> Vec<(usize, String)> {
        Vec::new()
    }
}

/// Opens a file, or the files that a pattern stands for. `known` are names that a header of a text
/// file would hold.
pub(super) fn open(path: &Path, known: &[&str]) -> Result<Box<dyn Reader>> {
    let files = several::files(path)?;
    match files.as_slice() {
        [file] => open_one(file, known),
        _ => Ok(Box::new(several::Several::open(files, known)?)),
    }
}

fn open_one(file: &Path, known: &[&str]) -> Result<Box<dyn Reader>> {
    Ok(match Format::of(file)? {
        Format::Text => Box::new(text::TextFile::open(file, known)?),
        Format::Idx => Box::new(idx::IdxReader::open(file)?),
        Format::Parquet => Box::new(parquet::ParquetReader::open(file)?),
        Format::Arrow => Box::new(arrow_ipc::ArrowReader::open(file)?),
        Format::Npy => Box::new(npy::NpyReader::open(file)?),
        Format::Npz => Box::new(npz::NpzReader::open(file)?),
    })
}
