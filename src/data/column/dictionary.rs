//! Texts as codes, in the order in which they appear.

use std::collections::HashMap;

use super::{Coded, MISSING, written};
use crate::data::read::Kind;

/// Bytes of all the categories of a column.
const MOST_TEXT: usize = 64 << 20;

/// Whole numbers from 0 on whose codes are in a table.
const SMALL_NUMBERS: usize = 4096;

/// The texts of a column while it is read.
#[derive(Default)]
pub(super) struct Dictionary {
    lookup: HashMap<String, u32>,
    /// Codes by a number's bits: a number is written as text once, not in each row.
    numbers: HashMap<u64, u32>,
    /// Codes of whole numbers from 0 on, [`MISSING`] where one was not met: most classes are.
    small_numbers: Vec<u32>,
    codes: Vec<u32>,
    /// Whether each row's code is kept.
    keeps: bool,
    /// The most texts.
    limit: usize,
    /// Bytes of the texts.
    bytes: usize,
    /// The number of texts that was too many.
    overflown: Option<usize>,
}

impl Dictionary {
    /// An empty one, of so many texts at most. Without `keeps` the rows' codes are let go.
    pub(super) fn new(limit: usize, keeps: bool) -> Self {
        Self { keeps, limit, ..Self::default() }
    }

    /// Whether no text was met.
    pub(super) fn is_new(&self) -> bool {
        self.lookup.is_empty() && self.overflown.is_none()
    }

    /// Begins with so many missing cells.
    pub(super) fn begin(&mut self, missing: usize) {
        self.codes = vec![MISSING; if self.keeps { missing } else { 0 }];
    }

    /// Takes the next row's text.
    pub(super) fn push(&mut self, text: &str) {
        if self.overflown.is_some() {
            return;
        }
        let code = match self.lookup.get(text) {
            Some(code) => *code,
            None => match u32::try_from(self.lookup.len()) {
                Ok(code)
                    if self.lookup.len() < self.limit && self.bytes + text.len() <= MOST_TEXT =>
                {
                    self.lookup.insert(text.to_owned(), code);
                    self.bytes += text.len();
                    code
                }
                _ => {
                    let (keeps, overflown) = (self.keeps, Some(self.lookup.len()));
                    *self = Self { keeps, overflown, ..Self::default() };
                    return;
                }
            },
        };
        self.push_code(code);
    }

    /// The code of a text that was met.
    pub(super) fn code(&self, text: &str) -> Option<u32> {
        self.lookup.get(text).copied()
    }

    /// Takes the next row's text, one that was met, by its code.
    pub(super) fn push_code(&mut self, code: u32) {
        if self.keeps && self.overflown.is_none() {
            self.codes.push(code);
        }
    }

    /// Takes the next row's number.
    pub(super) fn push_number(&mut self, number: f64, kind: &Kind) {
        if self.overflown.is_some() {
            return;
        }
        let small = small_number(number);
        let known = match small {
            Some(small) => self.small_numbers.get(small).copied().filter(|code| *code != MISSING),
            None => self.numbers.get(&number.to_bits()).copied(),
        };
        if let Some(code) = known {
            return self.push_code(code);
        }
        let text = written(number, kind);
        self.push(&text);
        let Some(code) = self.code(&text) else { return };
        let Some(small) = small else {
            self.numbers.insert(number.to_bits(), code);
            return;
        };
        if self.small_numbers.len() <= small {
            self.small_numbers.resize(small + 1, MISSING);
        }
        self.small_numbers[small] = code;
    }

    /// Takes a row without one.
    pub(super) fn push_missing(&mut self) {
        if self.keeps && self.overflown.is_none() {
            self.codes.push(MISSING);
        }
    }

    /// The codes, or how many texts were too many.
    pub(super) fn finish(self) -> Result<Coded, usize> {
        let mut texts = vec![String::new(); self.lookup.len()];
        for (text, code) in self.lookup {
            if let Some(slot) = usize::try_from(code).ok().and_then(|code| texts.get_mut(code)) {
                *slot = text;
            }
        }
        match self.overflown {
            None => Ok(Coded { codes: self.codes, texts }),
            Some(count) => Err(count),
        }
    }
}

/// A whole number from 0 on, if it is small; -0, which is written otherwise, is none.
fn small_number(number: f64) -> Option<usize> {
    let small = number as usize;
    (small < SMALL_NUMBERS && (small as f64).to_bits() == number.to_bits()).then_some(small)
}
