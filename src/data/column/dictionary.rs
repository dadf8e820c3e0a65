//! Texts as codes, in the order in which they appear.

use std::collections::HashMap;

use super::{Coded, MISSING, written};
use crate::data::read::Kind;

/// Bytes of all the categories of a column.
const MOST_TEXT: usize = 64 << 20;

/// The texts of a column while it is read.
#[derive(Default)]
pub(super) struct Dictionary {
    lookup: HashMap<String, u32>,
    /// Codes by a number's bits: a number is written as text once, not in each row.
    numbers: HashMap<u64, u32>,
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
        if self.keeps {
            self.codes.push(code);
        }
    }

    /// Takes the next row's number.
    pub(super) fn push_number(&mut self, number: f64, kind: &Kind) {
        if self.overflown.is_some() {
            return;
        }
        if let Some(code) = self.numbers.get(&number.to_bits()) {
            if self.keeps {
                self.codes.push(*code);
            }
            return;
        }
        let text = written(number, kind);
        self.push(&text);
        if let Some(code) = self.lookup.get(&text) {
            self.numbers.insert(number.to_bits(), *code);
        }
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
