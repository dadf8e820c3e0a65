//! Raw values as arrays hold them, one behind the other.

use std::borrow::Cow;

use super::{Cells, Numbers, Texts};

/// How a value is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stored {
    /// A byte that is 0 or not.
    Bool,
    /// An unsigned integer of 1, 2, 4 or 8 bytes.
    Unsigned(u8),
    /// A signed integer of 1, 2, 4 or 8 bytes.
    Signed(u8),
    /// A float of 2, 4 or 8 bytes.
    Float(u8),
    /// A moment, as a signed integer of 8 bytes.
    Moment {
        /// The seconds of its unit, ...
        times: f64,
        /// ... or how many of its units make a second; 1 where that is not needed.
        over: f64,
    },
    /// Text of so many bytes at most, zeros behind it.
    Bytes(usize),
    /// Text of so many characters of 4 bytes at most, zeros behind it.
    Characters(usize),
}

impl Stored {
    /// Bytes of a value.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Unsigned(size) | Self::Signed(size) | Self::Float(size) => size.into(),
            Self::Moment { .. } => 8,
            Self::Bytes(size) => size,
            Self::Characters(count) => 4 * count,
        }
    }
}

/// Values of one column among raw bytes: `rows` of them, the first at `first`, `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strided<'a> {
    /// The bytes.
    pub(super) raw: &'a [u8],
    /// How a value is stored.
    pub(super) stored: Stored,
    /// Whether a value's most significant byte comes first.
    pub(super) big_endian: bool,
    /// The first value, counted in values.
    pub(super) first: usize,
    /// Values.
    pub(super) rows: usize,
    /// From one value to the next, counted in values.
    pub(super) stride: usize,
}

impl<'a> Strided<'a> {
    /// Each value's `N` bytes, the least significant first, as what `of` makes of them.
    fn each<const N: usize, T>(&self, of: impl Fn([u8; N]) -> T) -> Vec<T> {
        let values = self.raw.as_chunks::<N>().0;
        let column = values.get(self.first..).unwrap_or(&[]).iter();
        let column = column.step_by(self.stride.max(1)).take(self.rows);
        if self.big_endian {
            let turned = |mut bytes: [u8; N]| {
                bytes.reverse();
                of(bytes)
            };
            return column.map(|bytes| turned(*bytes)).collect();
        }
        column.map(|bytes| of(*bytes)).collect()
    }

    /// The cells, and the first integer among them that a 64-bit float cannot hold.
    ///
    /// # Errors
    /// The row of a text that is not UTF-8 or, of characters, not Unicode.
    pub(super) fn decode(&self) -> Result<(Cells, Option<String>), usize> {
        let mut lost = None;
        let numbers = match self.stored {
            Stored::Bool => Numbers::U8(self.each(|[byte]| u8::from(byte != 0))),
            Stored::Unsigned(1) => Numbers::U8(self.each(|[byte]| byte)),
            Stored::Unsigned(2) => Numbers::F32(self.each(|b| u16::from_le_bytes(b).into())),
            Stored::Unsigned(4) => Numbers::F64(self.each(|b| u32::from_le_bytes(b).into())),
            Stored::Unsigned(_) => {
                let exact = self.each(u64::from_le_bytes);
                lost = first_lost(exact.iter().map(|value| i128::from(*value)));
                Numbers::F64(exact.into_iter().map(|value| value as f64).collect())
            }
            Stored::Signed(1) => Numbers::F32(self.each(|b| i8::from_le_bytes(b).into())),
            Stored::Signed(2) => Numbers::F32(self.each(|b| i16::from_le_bytes(b).into())),
            Stored::Signed(4) => Numbers::F64(self.each(|b| i32::from_le_bytes(b).into())),
            Stored::Signed(_) => {
                let exact = self.each(i64::from_le_bytes);
                lost = first_lost(exact.iter().map(|value| i128::from(*value)));
                Numbers::F64(exact.into_iter().map(|value| value as f64).collect())
            }
            Stored::Float(2) => Numbers::F32(self.each(|b| half::f16::from_le_bytes(b).to_f32())),
            Stored::Float(4) => Numbers::F32(self.each(f32::from_le_bytes)),
            Stored::Float(_) => Numbers::F64(self.each(f64::from_le_bytes)),
            Stored::Moment { times, over } => Numbers::F64(self.each(|bytes| {
                let at = i64::from_le_bytes(bytes);
                // The least one stands for none.
                if at == i64::MIN { f64::NAN } else { at as f64 * times / over }
            })),
            Stored::Bytes(_) | Stored::Characters(_) => return Ok((self.texts()?, None)),
        };
        Ok((Cells::Numbers(numbers), lost))
    }

    fn texts(&self) -> Result<Cells, usize> {
        let mut texts = Vec::with_capacity(self.rows);
        for row in 0..self.rows {
            texts.push(self.text(row).ok_or(row)?);
        }
        Texts::of(texts.iter().map(|text| text.trim())).map(Cells::Text).ok_or(0)
    }

    fn text(&self, row: usize) -> Option<Cow<'a, str>> {
        let size = self.stored.size();
        let start = self.first.checked_add(row.checked_mul(self.stride)?)?.checked_mul(size)?;
        let bytes = self.raw.get(start..start.checked_add(size)?)?;
        if let Stored::Bytes(_) = self.stored {
            let text = std::str::from_utf8(bytes).ok()?;
            return Some(text.trim_end_matches('\0').into());
        }
        let characters = bytes.as_chunks::<4>().0.iter().map(|bytes| {
            char::from_u32(if self.big_endian {
                u32::from_be_bytes(*bytes)
            } else {
                u32::from_le_bytes(*bytes)
            })
        });
        let text: String = characters.collect::<Option<_>>()?;
        Some(text.trim_end_matches('\0').to_owned().into())
    }
}

/// The first of some integers that a 64-bit float cannot hold.
pub(super) fn first_lost(mut values: impl Iterator<Item = i128>) -> Option<String> {
    let is_lost = |value: &i128| value.unsigned_abs() > 1 << 53 && *value as f64 as i128 != *value;
    values.find(is_lost).map(|value| value.to_string())
}
