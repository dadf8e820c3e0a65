//! Predictions as an array of NumPy: `[rows, classes]` probabilities, or `[rows, targets]` numbers, as
//! little-endian 32-bit floats in C order.

use std::io::{self, Seek, SeekFrom, Write};

use super::{Column, Format, Output};

/// Bytes of the header, which is written once more when the rows are known: NumPy asks for a multiple of
/// 64.
const HEADER: usize = 128;

/// An array that grows.
#[derive(Debug, Default)]
pub(super) struct NpyFormat {
    rows: usize,
    width: usize,
    begun: bool,
}

impl NpyFormat {
    /// The header, as `numpy.lib.format` documents version 1.0 of it.
    fn header(&self) -> Vec<u8> {
        let mut header = b"\x93NUMPY\x01\x00".to_vec();
        let text_bytes = HEADER - header.len() - 2;
        // 118 bytes, which a u16 holds.
        header.extend((text_bytes as u16).to_le_bytes());
        let text = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
            self.rows, self.width
        );
        header.extend(text.as_bytes());
        header.resize(HEADER - 1, b' ');
        header.push(b'\n');
        header
    }
}

impl Format for NpyFormat {
    fn write(&mut self, out: &mut Output, columns: &[Column]) -> io::Result<()> {
        let columns: Vec<&Vec<f32>> = columns
            .iter()
            .filter_map(|column| match column {
                Column::Floats(values) => Some(values),
                Column::Numbers(_) | Column::Texts(_) => None,
            })
            .collect();
        self.width = columns.len();
        if !std::mem::replace(&mut self.begun, true) {
            out.write_all(&self.header())?;
        }
        let rows = columns.first().map_or(0, |values| values.len());
        for row in 0..rows {
            for values in &columns {
                out.write_all(&values[row].to_le_bytes())?;
            }
        }
        self.rows += rows;
        Ok(())
    }

    fn end(&mut self, out: &mut Output) -> io::Result<()> {
        match out {
            Output::File(file) => {
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&self.header())
            }
            Output::Stdout(_) => Err(io::Error::other("an NPY file cannot be written to stdout")),
        }
    }
}
