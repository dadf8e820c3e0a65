//! Encoding rows: column by column in blocks that stay in a processor's cache, the blocks on several
//! threads. Rows of a table in memory and rows as they are read go through here alike.

use rayon::prelude::*;

use super::column::MISSING;
use super::encoding::{Code, Encoding, Met, Refusal};
use super::preprocessing::InputColumn;
use super::read;

/// Rows of a block.
const BLOCK_ROWS: usize = 256;

/// The numbers of one column.
#[derive(Clone, Copy)]
pub(super) enum Numbers<'a> {
    /// As a file holds them.
    Compact(&'a read::Numbers),
    /// Widened.
    Wide(&'a [f64]),
}

impl Numbers<'_> {
    /// That of a row; `NaN` where it is missing.
    pub(super) fn get(self, row: usize) -> f64 {
        match self {
            Self::Compact(numbers) => numbers.get(row).unwrap_or(f64::NAN),
            Self::Wide(numbers) => numbers[row],
        }
    }
}

/// Where an input's values come from.
pub(super) enum Source<'a> {
    /// Numbers, truth values or dates.
    Numbers(Numbers<'a>),
    /// Indices of categories in the encoding's order, [`MISSING`], or beyond the last of them for one
    /// that training did not see.
    Codes(&'a [u32]),
}

impl Source<'_> {
    /// Encodes some rows; the inputs of the first one begin at `out[0]`.
    fn encode(&self, encoding: &Encoding, rows: &[usize], out: &mut [f32], stride: usize) -> Met {
        let rows = rows.iter();
        match self {
            Self::Numbers(Numbers::Wide(numbers)) => {
                encoding.numbers(rows.map(|row| numbers[*row]), out, stride)
            }
            Self::Numbers(Numbers::Compact(read::Numbers::U8(numbers))) => {
                encoding.numbers(rows.map(|row| f64::from(numbers[*row])), out, stride)
            }
            Self::Numbers(Numbers::Compact(read::Numbers::F32(numbers))) => {
                encoding.numbers(rows.map(|row| f64::from(numbers[*row])), out, stride)
            }
            Self::Numbers(Numbers::Compact(read::Numbers::F64(numbers))) => {
                encoding.numbers(rows.map(|row| numbers[*row]), out, stride)
            }
            Self::Codes(codes) => {
                let code = |row: &usize| match codes[*row] {
                    MISSING => Code::Missing,
                    code => usize::try_from(code).map_or(Code::Unseen, Code::Seen),
                };
                encoding.codes(rows.map(code), out, stride)
            }
        }
    }
}

/// A row, the position of an input column, and why its cell cannot be encoded.
pub(super) type Refused = (usize, usize, Refusal);

/// Encodes rows into `out`, `[rows, inputs]`. Says what was met in each column, and the first cell that
/// cannot be encoded.
pub(super) fn encode_rows(
    inputs: &[InputColumn],
    sources: &[Source],
    rows: &[usize],
    out: &mut [f32],
) -> (Vec<Met>, Option<Refused>) {
    let width: usize = inputs.iter().map(|input| input.encoding.width()).sum();
    let blocks = out.par_chunks_mut((width * BLOCK_ROWS).max(1)).zip(rows.par_chunks(BLOCK_ROWS));
    let encode = |(out, rows): (&mut [f32], &[usize])| {
        let mut met = Vec::with_capacity(inputs.len());
        let mut refused: Option<Refused> = None;
        let mut first = 0;
        for (at, (input, source)) in inputs.iter().zip(sources).enumerate() {
            let own = source.encode(&input.encoding, rows, &mut out[first..], width);
            if let Some((row, why)) = own.refused {
                // The first in the file, and of one row the first column.
                let found = (rows[row], at, why);
                refused = Some(refused.filter(|other| other.0 <= found.0).unwrap_or(found));
            }
            met.push(own);
            first += input.encoding.width();
        }
        (met, refused)
    };
    let none = || (vec![Met::default(); inputs.len()], None);
    blocks.map(encode).reduce(none, |(mut met, refused), (other, more)| {
        met.iter_mut().zip(other).for_each(|(met, other)| met.add(other, 0));
        (met, refused.or(more))
    })
}
