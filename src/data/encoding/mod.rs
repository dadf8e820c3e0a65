//! How one column becomes inputs of the network, with all that was fitted for it.
//!
//! A cell is a number (`NaN` where it is missing) or a [`Code`]. What is missing is filled, or has an input
//! of its own, and is counted; so is a category that training did not see, whose inputs are all 0.
//! An embedded column is one value of a row, its category's code; the network puts a learned vector in its
//! place, of zeros for a category that training did not see.

mod boolean;
mod date;
mod embedding;
mod quantiles;
mod scaler;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

pub(super) use boolean::{are_boolean, boolean};
pub use date::DateEncoding;
pub(crate) use date::written as written_date;
pub(super) use date::{DAY, looks_like_date, seconds};
pub(super) use embedding::{MOST_CATEGORIES, MOST_ONE_HOT, embedding_size};
pub use quantiles::Quantiles;
#[cfg(test)]
pub(super) use quantiles::percentile as percentile_of_sorted;
pub(crate) use quantiles::{
    LEAST_PROBABILITY, MIDDLE, MIDDLE_HALF, MIDDLE_SQUARE, TAIL, TAIL_START,
};
pub(crate) use scaler::SMOOTH_CLIP;
pub use scaler::{Scale, Scaler};

/// How one column is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Encoding {
    /// A number, scaled. One input, and the one that says whether it was missing.
    Numeric {
        /// Its scaling.
        scaler: Scaler,
        /// What a missing number becomes.
        missing: MissingNumber,
    },
    /// Yes or no, as 1 or 0. One input, and the one that says whether it was missing.
    Boolean {
        /// What a missing cell becomes.
        missing: MissingNumber,
    },
    /// A date: days, scaled, and where it stands in the year, the week and the day.
    Date(DateEncoding),
    /// One of several values, one-hot. An input each, and that of missing cells last.
    Categorical {
        /// The values, in the order of their inputs.
        categories: Vec<String>,
        /// What a missing cell becomes.
        missing: MissingCategory,
    },
    /// One of several values, by a learned vector. One value of a row: the category's index, that of
    /// missing cells after the others, or -1 for none.
    Embedding {
        /// The values that training saw, in the order of the table's rows.
        categories: Vec<String>,
        /// Numbers of a vector.
        size: usize,
        /// What a missing cell becomes.
        missing: MissingCategory,
    },
}

/// What a missing number, truth value or date becomes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MissingNumber {
    /// It is refused.
    Error,
    /// It is filled.
    Fill {
        /// With this value, in the column's own unit (seconds since 1970 for a date).
        value: f64,
        /// Whether an input, the column's last, is 1 where the value was missing and else 0.
        indicator: bool,
    },
}

impl MissingNumber {
    fn indicator(self) -> bool {
        matches!(self, Self::Fill { indicator: true, .. })
    }

    fn is_sound(self) -> bool {
        match self {
            Self::Error => true,
            Self::Fill { value, .. } => value.is_finite(),
        }
    }
}

/// What a missing cell of a categorical column becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MissingCategory {
    /// It is refused.
    Error,
    /// No category: the inputs are all 0, as those of a category that training did not see.
    None,
    /// A category of its own, whose input comes after those of the others.
    Own,
    /// The category of this index.
    Category(usize),
}

/// What the cells of a column are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// A number.
    Number,
    /// Yes or no: a number, 1 or 0. [`boolean`] reads its text.
    Boolean,
    /// Seconds since the beginning of 1970, UTC. [`seconds`] reads its text.
    Date,
    /// The index of a category.
    Category,
}

/// What was met while cells of one column were encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Met {
    /// Cells that were missing.
    pub(super) missing: usize,
    /// Cells whose category training did not see.
    pub(super) unseen: usize,
    /// The first cell, counted from 0, that cannot be encoded.
    pub(super) refused: Option<(usize, Refusal)>,
}

/// Why a cell cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is missing, and the column has no value for such cells.
    Missing,
    /// It is not finite once it is scaled.
    NotFinite,
}

impl Met {
    /// Takes in what was met in further cells; `before` cells of the column came before them.
    pub(super) fn add(&mut self, other: Self, before: usize) {
        self.missing += other.missing;
        self.unseen += other.unseen;
        self.refused = self.refused.or(other.refused.map(|(at, why)| (before + at, why)));
    }
}

/// What a row's inputs say of a column, in the column's own terms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    /// Nothing.
    Missing,
    /// A category that training did not see.
    Unseen,
    /// A number, and how far apart neighbouring values of the input are there.
    Number(f64, f64),
    /// Yes or no.
    Boolean(bool),
    /// Seconds since the beginning of 1970, UTC.
    Date(f64),
    /// The index of a category.
    Category(usize),
}

impl Encoding {
    /// How many values of an encoded row the column takes.
    pub fn width(&self) -> usize {
        match self {
            Self::Numeric { missing, .. } | Self::Boolean { missing } => {
                1 + usize::from(missing.indicator())
            }
            Self::Date(date) => date.width() + usize::from(date.missing.indicator()),
            Self::Categorical { categories, missing } => with_missing(categories, *missing),
            Self::Embedding { .. } => 1,
        }
    }

    /// How many inputs of the network's first layer the column makes.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Embedding { size, .. } => *size,
            _ => self.width(),
        }
    }

    /// The rows and columns of its table, where it is embedded.
    pub fn table(&self) -> Option<(usize, usize)> {
        match self {
            Self::Embedding { categories, size, missing } => {
                Some((with_missing(categories, *missing), *size))
            }
            _ => None,
        }
    }

    /// The categories that it knows, if it is of categories.
    pub fn categories(&self) -> Option<&[String]> {
        match self {
            Self::Categorical { categories, .. } | Self::Embedding { categories, .. } => {
                Some(categories)
            }
            _ => None,
        }
    }

    /// What its cells are read as.
    pub(super) fn reads(&self) -> CellKind {
        match self {
            Self::Numeric { .. } => CellKind::Number,
            Self::Boolean { .. } => CellKind::Boolean,
            Self::Date(_) => CellKind::Date,
            Self::Categorical { .. } | Self::Embedding { .. } => CellKind::Category,
        }
    }

    /// Encodes numbers, truth values (0 or 1) or dates (seconds since 1970), `NaN` where they are
    /// missing. The inputs of the first row begin at `out[0]`, those of row r at `out[r * stride]`.
    pub(super) fn numbers(
        &self,
        values: impl IntoIterator<Item = f64>,
        out: &mut [f32],
        stride: usize,
    ) -> Met {
        match self {
            Self::Numeric { scaler: Scaler::Affine(scale), missing } => {
                fill_in(values, *missing, 1, out, stride, |value, own| own[0] = scale.apply(value))
            }
            Self::Numeric { scaler, missing } => {
                fill_in(values, *missing, 1, out, stride, |value, own| own[0] = scaler.apply(value))
            }
            Self::Boolean { missing } => {
                fill_in(values, *missing, 1, out, stride, |value, own| own[0] = value as f32)
            }
            Self::Date(date) => {
                fill_in(values, date.missing, date.width(), out, stride, |value, own| {
                    date.encode(value, own);
                })
            }
            // What is no category was not seen as one.
            Self::Categorical { .. } | Self::Embedding { .. } => {
                let code = |value: f64| if value.is_nan() { Code::Missing } else { Code::Unseen };
                self.codes(values.into_iter().map(code), out, stride)
            }
        }
    }

    /// Encodes categories. The inputs of the first row begin at `out[0]`, those of row r at
    /// `out[r * stride]`.
    pub(super) fn codes(
        &self,
        codes: impl IntoIterator<Item = Code>,
        out: &mut [f32],
        stride: usize,
    ) -> Met {
        let mut met = Met::default();
        let width = self.width();
        let (own, missing) = match self {
            Self::Categorical { categories, missing }
            | Self::Embedding { categories, missing, .. } => (categories.len(), *missing),
            _ => (usize::MAX, MissingCategory::Error),
        };
        for (row, code) in codes.into_iter().enumerate() {
            let Some(inputs) = out.get_mut(row * stride..).and_then(|out| out.get_mut(..width))
            else {
                break;
            };
            let category = match code {
                Code::Seen(code) if code < own => Some(code),
                Code::Seen(_) | Code::Unseen => {
                    met.unseen += 1;
                    None
                }
                Code::Missing => {
                    met.missing += 1;
                    match missing {
                        MissingCategory::Error => {
                            met.refused.get_or_insert((row, Refusal::Missing));
                            None
                        }
                        MissingCategory::None => None,
                        MissingCategory::Own => Some(own),
                        MissingCategory::Category(code) => Some(code),
                    }
                }
            };
            if let Self::Embedding { .. } = self {
                // Codes are below 2^24, which f32 holds exactly.
                inputs.fill(category.map_or(NO_CATEGORY, |category| category as f32));
                continue;
            }
            inputs.fill(0.0);
            if let Some(input) = category.and_then(|category| inputs.get_mut(category)) {
                *input = 1.0;
            }
        }
        met
    }

    /// What inputs say, back in the column's own terms.
    pub(crate) fn decode(&self, inputs: &[f32]) -> Value {
        let first = inputs.first().copied().unwrap_or_default();
        let is_missing = |missing: MissingNumber| {
            missing.indicator() && inputs.last().is_some_and(|last| *last > 0.5)
        };
        match self {
            Self::Numeric { missing, .. } | Self::Boolean { missing } if is_missing(*missing) => {
                Value::Missing
            }
            Self::Date(date) if is_missing(date.missing) => Value::Missing,
            Self::Numeric { scaler, .. } => {
                let (value, unit) = scaler.invert(first);
                Value::Number(value, unit)
            }
            Self::Boolean { .. } => Value::Boolean(first > 0.5),
            Self::Date(date) => Value::Date(date.decode(inputs)),
            Self::Categorical { categories, .. } => {
                match inputs.iter().position(|value| *value > 0.5) {
                    Some(code) if code < categories.len() => Value::Category(code),
                    Some(_) => Value::Missing,
                    None => Value::Unseen,
                }
            }
            // Not a number is no category either.
            Self::Embedding { .. } if first.is_nan() || first < 0.0 => Value::Unseen,
            Self::Embedding { categories, .. } => match first as usize {
                code if code < categories.len() => Value::Category(code),
                _ => Value::Missing,
            },
        }
    }

    /// Checks what was read from a file.
    ///
    /// # Errors
    /// What is wrong with it, as a phrase that follows the column's name.
    pub(super) fn check(&self) -> Result<(), String> {
        let (sound, missing) = match self {
            Self::Numeric { scaler, missing } => (scaler.is_sound(), *missing),
            Self::Boolean { missing } => (true, *missing),
            Self::Date(date) => (date.days.is_sound(), date.missing),
            Self::Categorical { categories, missing }
            | Self::Embedding { categories, missing, .. } => {
                if let Self::Embedding { size, .. } = self {
                    embedding::check(categories.len(), *size)?;
                }
                let mut seen = HashSet::new();
                if let Some(twice) = categories.iter().find(|category| !seen.insert(*category)) {
                    return Err(format!("has category {twice:?} twice"));
                }
                return match missing {
                    MissingCategory::Category(code) if *code >= categories.len() => {
                        Err(format!("has no category {code}, which missing cells become"))
                    }
                    _ if categories.is_empty() => Err("has no categories".to_owned()),
                    _ => Ok(()),
                };
            }
        };
        match (sound, missing.is_sound()) {
            (false, _) => Err("has an unusable scaling".to_owned()),
            (_, false) => Err("has an unusable value for missing cells".to_owned()),
            _ => Ok(()),
        }
    }
}

/// The code of a cell of an embedded column that has no category.
const NO_CATEGORY: f32 = -1.0;

/// How many categories there are, that of missing cells counted where they have one.
fn with_missing(categories: &[String], missing: MissingCategory) -> usize {
    categories.len() + usize::from(missing == MissingCategory::Own)
}

/// A cell of a categorical column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The index of its category.
    Seen(usize),
    /// A value that is not among the categories.
    Unseen,
    /// Nothing.
    Missing,
}

/// Encodes values by `encode`, which writes `width` inputs, and has those that are missing filled.
fn fill_in(
    values: impl IntoIterator<Item = f64>,
    missing: MissingNumber,
    width: usize,
    out: &mut [f32],
    stride: usize,
    encode: impl Fn(f64, &mut [f32]),
) -> Met {
    let mut met = Met::default();
    let all = width + usize::from(missing.indicator());
    for (row, value) in values.into_iter().enumerate() {
        let Some(inputs) = out.get_mut(row * stride..).and_then(|out| out.get_mut(..all)) else {
            break;
        };
        let is_missing = value.is_nan();
        let value = match missing {
            _ if !is_missing => value,
            MissingNumber::Fill { value, .. } => value,
            MissingNumber::Error => {
                met.refused.get_or_insert((row, Refusal::Missing));
                0.0
            }
        };
        met.missing += usize::from(is_missing);
        let (own, indicator) = inputs.split_at_mut(width);
        encode(value, own);
        if own.iter().any(|input| !input.is_finite()) {
            met.refused.get_or_insert((row, Refusal::NotFinite));
        }
        indicator.fill(if is_missing { 1.0 } else { 0.0 });
    }
    met
}
