//! Cells as the encodings of their columns need them.

use crate::data::cell::{Cell, Fault, quoted};
use crate::data::column::{MISSING, UNSEEN, written};
use crate::data::encoding::{CellKind, Refusal, boolean, seconds};
use crate::data::labels::Labels;
use crate::data::preprocessing::Preprocessing;
use crate::data::read::{Cells, Chunk, Kind, Schema};

/// The cells of an input column, read as its encoding needs them.
pub(super) enum Parsed {
    /// Numbers, truth values or dates; none where the chunk's own numbers are right as they are.
    Numbers(Vec<f64>),
    /// Indices of categories.
    Codes(Vec<u32>),
}

/// Reads cells as their columns' encodings need them.
pub(super) struct Parser<'a> {
    pub(super) schema: &'a Schema,
    pub(super) preprocessing: &'a Preprocessing,
    /// The file's column of each input.
    pub(super) columns: &'a [usize],
    pub(super) categories: &'a [Option<Labels>],
}

impl Parser<'_> {
    /// The cells of an input column. What is numbers already is left where it is.
    pub(super) fn parse(&self, chunk: &Chunk, at: usize) -> Result<Parsed, (usize, Fault)> {
        let column = self.columns[at];
        let (encoding, known) =
            (&self.preprocessing.inputs[at].encoding, &self.schema.columns[column]);
        if let Kind::Unusable(what) = &known.kind {
            return Err((0, Fault::unusable(&known.name, what)));
        }
        let reads = encoding.reads();
        match (&chunk.columns[column], reads, &known.kind) {
            (Cells::Skipped, _, _) => {
                Err((0, Fault::text("", "the column was not read".to_owned())))
            }
            (Cells::Text(texts), CellKind::Category, _) => {
                let code = |field: &str| self.code(at, field);
                Ok(Parsed::Codes(texts.map(code)))
            }
            (Cells::Text(texts), _, _) => {
                let mut numbers = Vec::with_capacity(texts.len());
                for (row, field) in texts.iter().enumerate() {
                    numbers.push(number_of(field, reads).map_err(|fault| (row, fault))?);
                }
                Ok(Parsed::Numbers(numbers))
            }
            (Cells::Numbers(numbers), CellKind::Category, kind) => {
                let code = |row: usize| {
                    self.code(at, &written(numbers.get(row).unwrap_or(f64::NAN), kind))
                };
                Ok(Parsed::Codes((0..numbers.len()).map(code).collect()))
            }
            (Cells::Numbers(numbers), CellKind::Boolean, _) => {
                let wrong = (0..numbers.len()).find(|row| {
                    numbers.get(*row).is_some_and(|x| !x.is_nan() && x != 0.0 && x != 1.0)
                });
                match wrong {
                    Some(row) => {
                        let number = numbers.get(row).unwrap_or(f64::NAN);
                        Err((row, Fault::boolean(&number.to_string())))
                    }
                    None => Ok(Parsed::Numbers(Vec::new())),
                }
            }
            (Cells::Numbers(_), CellKind::Date, Kind::Date)
            | (Cells::Numbers(_), CellKind::Number, Kind::Number | Kind::Boolean | Kind::Unknown) => {
                Ok(Parsed::Numbers(Vec::new()))
            }
            (Cells::Numbers(_), CellKind::Date, _) => Err((0, Fault::date("a number"))),
            (Cells::Numbers(_), CellKind::Number, _) => Err((
                0,
                Fault::text("a date", "the column was numeric in the training data".to_owned()),
            )),
        }
    }

    fn code(&self, at: usize, field: &str) -> u32 {
        if Cell::of(field) == Cell::Missing {
            return MISSING;
        }
        let found = self.categories[at].as_ref().and_then(|labels| labels.find(field));
        found.and_then(|code| u32::try_from(code).ok()).unwrap_or(UNSEEN)
    }
}

/// A cell as text; empty where it is missing.
pub(super) fn field(chunk: &Chunk, schema: &Schema, column: usize, row: usize) -> String {
    match &chunk.columns[column] {
        Cells::Skipped => String::new(),
        Cells::Text(texts) => texts.get(row).unwrap_or_default().to_owned(),
        Cells::Numbers(numbers) => {
            written(numbers.get(row).unwrap_or(f64::NAN), &schema.columns[column].kind)
        }
    }
}

/// A field of a column that is no category as a number; `NaN` where it is missing.
pub(in crate::data) fn number_of(field: &str, reads: CellKind) -> Result<f64, Fault> {
    match (Cell::of(field), reads) {
        (Cell::Missing, _) => Ok(f64::NAN),
        (_, CellKind::Boolean) => {
            let yes = boolean(field).ok_or_else(|| Fault::boolean(field))?;
            Ok(if yes { 1.0 } else { 0.0 })
        }
        (_, CellKind::Date) => seconds(field).ok_or_else(|| Fault::date(field)),
        (Cell::Number(number), _) => Ok(number),
        (Cell::NotFinite, _) => Err(Fault::not_finite(field)),
        (Cell::Text, _) => {
            Err(Fault::text(field, "the column was numeric in the training data".to_owned()))
        }
    }
}

pub(super) fn refusal(why: Refusal, field: &str) -> Fault {
    match why {
        Refusal::NotFinite => not_finite(field),
        Refusal::Missing => Fault {
            help: "the model was trained to take no missing value in this column; train it with \
                   data.missing = \"auto\" to have them filled"
                .to_owned(),
            ..Fault::missing_target(field)
        },
    }
}

pub(super) fn not_finite(field: &str) -> Fault {
    Fault {
        problem: format!("{} is not finite once it is scaled", quoted(field)),
        help: "it is far outside the range of the training data".to_owned(),
    }
}
