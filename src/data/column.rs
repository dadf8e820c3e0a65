//! Columns while a training file is read: cells go in, a compact column comes out, and its type
//! is found on the way.

use std::collections::HashMap;
use std::path::Path;

use super::cell::{Cell, Fault, check_probability, check_weight, column_key, quoted};
use crate::error::{Error, Place, Result};

/// The most categories of a column that nobody called categorical.
const MOST_FOUND_CATEGORIES: usize = 1_000;
/// The most categories, and the most classes.
pub(super) const MOST_LABELS: usize = 10_000;
/// Up to this many rows a text column may differ in every row.
const FEW_ROWS: usize = 10;

/// What is known of a column before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Not looked at.
    Ignore,
    /// Numbers, on the user's word.
    Numeric,
    /// Categories, on the user's word (`stated`) or since a first reading found numbers and text.
    Categorical {
        /// Whether it is the user's word.
        stated: bool,
    },
    /// To be found.
    Auto,
    /// A target.
    Target,
    /// A target that holds a class's probability.
    Probability,
    /// The rows' weights.
    Weight,
}

/// Values as small numbers: the distinct texts in order of appearance, and each row's.
#[derive(Debug, Clone, Default)]
pub(super) struct Coded {
    /// Each row's index in `texts`.
    pub(super) codes: Vec<u32>,
    /// The distinct texts.
    pub(super) texts: Vec<String>,
}

/// A target column: as numbers when every cell is one, and as codes unless there are too many
/// distinct texts to be classes.
#[derive(Debug, Clone)]
pub(super) struct TargetValues {
    /// The numbers, one a row.
    pub(super) numbers: Option<Vec<f64>>,
    /// The distinct texts.
    pub(super) coded: Option<Coded>,
    /// The share of cells that are numbers is large enough to call a text an error.
    pub(super) mostly_numbers: bool,
    /// Line and text of the first cell that is not a number.
    pub(super) first_text: Option<(u64, String)>,
}

/// A column read.
#[derive(Debug, Clone)]
pub(super) enum Column {
    /// Not kept.
    Ignored,
    /// Numbers, one a row.
    Numbers(Vec<f64>),
    /// Categories.
    Categories(Coded),
    /// A target.
    Target(TargetValues),
    /// The rows' weights.
    Weights(Vec<f64>),
    /// Numbers and text: to be read once more, as categories.
    Mixed,
}

/// A column that is being read.
pub(super) struct Builder {
    name: String,
    role: Role,
    numbers: Vec<f64>,
    number_cells: usize,
    text_cells: usize,
    first_text: Option<(u64, String)>,
    dictionary: Dictionary,
}

#[derive(Default)]
struct Dictionary {
    lookup: HashMap<String, u32>,
    codes: Vec<u32>,
    limit: usize,
    overflown: bool,
}

impl Dictionary {
    fn push(&mut self, text: &str) {
        if self.overflown {
            return;
        }
        let code = match self.lookup.get(text) {
            Some(code) => *code,
            None => match u32::try_from(self.lookup.len()) {
                Ok(code) if self.lookup.len() < self.limit => {
                    self.lookup.insert(text.to_owned(), code);
                    code
                }
                _ => {
                    *self = Self { limit: self.limit, overflown: true, ..Self::default() };
                    return;
                }
            },
        };
        self.codes.push(code);
    }

    fn finish(self) -> Option<Coded> {
        let mut texts = vec![String::new(); self.lookup.len()];
        for (text, code) in self.lookup {
            if let Some(slot) = usize::try_from(code).ok().and_then(|code| texts.get_mut(code)) {
                *slot = text;
            }
        }
        (!self.overflown).then_some(Coded { codes: self.codes, texts })
    }
}

impl Builder {
    /// An empty column.
    pub(super) fn new(name: &str, role: Role) -> Self {
        let limit = match role {
            Role::Categorical { stated: true } | Role::Target => MOST_LABELS,
            _ => MOST_FOUND_CATEGORIES,
        };
        Self {
            name: name.to_owned(),
            role,
            numbers: Vec::new(),
            number_cells: 0,
            text_cells: 0,
            first_text: None,
            dictionary: Dictionary { limit, ..Dictionary::default() },
        }
    }

    /// Takes the next row's cell.
    pub(super) fn push(&mut self, line: u64, field: &str) -> Result<(), Fault> {
        if self.role == Role::Ignore {
            return Ok(());
        }
        let cell = Cell::of(field);
        if cell == Cell::Missing {
            let target = matches!(self.role, Role::Target | Role::Probability);
            return Err(Fault::missing(&self.name, field, target));
        }
        if matches!(self.role, Role::Categorical { .. }) {
            self.number_cells += 1;
            self.dictionary.push(field);
            return Ok(());
        }
        // The first cell of an undecided column decides what is kept of it.
        let leads_with_text = self.role == Role::Auto && !self.dictionary_is_new();
        match cell {
            Cell::Number(number) => {
                let number = match self.role {
                    Role::Probability => check_probability(number, field)?,
                    Role::Weight => check_weight(number, field)?,
                    _ => number,
                };
                self.number_cells += 1;
                if self.text_cells == 0 {
                    self.numbers.push(number);
                }
                if leads_with_text || self.role == Role::Target {
                    self.dictionary.push(field);
                }
            }
            Cell::NotFinite if !leads_with_text => return Err(Fault::not_finite(field)),
            _ if self.role == Role::Numeric => {
                let help = format!("{}.type says that it is numeric", column_key(&self.name));
                return Err(Fault::text(field, help));
            }
            _ if matches!(self.role, Role::Weight | Role::Probability) => {
                let what = if self.role == Role::Weight { "weight" } else { "probability" };
                return Err(Fault::text(field, format!("every row needs a {what}")));
            }
            _ => {
                self.text_cells += 1;
                if self.first_text.is_none() {
                    self.first_text = Some((line, field.to_owned()));
                    self.numbers = Vec::new();
                }
                if leads_with_text || self.number_cells == 0 || self.role == Role::Target {
                    self.dictionary.push(field);
                }
            }
        }
        Ok(())
    }

    /// The number of the row that was taken last.
    pub(super) fn last_number(&self) -> f64 {
        self.numbers.last().copied().unwrap_or(f64::NAN)
    }

    fn dictionary_is_new(&self) -> bool {
        self.dictionary.codes.is_empty() && !self.dictionary.overflown
    }

    /// Whether so many cells are numbers that a text among them is a slip: nine in ten.
    fn mostly_numbers(&self) -> bool {
        self.text_cells.saturating_mul(10) <= self.number_cells.saturating_add(self.text_cells)
    }

    /// The column.
    pub(super) fn finish(self, file: &Path) -> Result<Column> {
        let rows = self.number_cells + self.text_cells;
        Ok(match self.role {
            Role::Ignore => Column::Ignored,
            Role::Numeric => Column::Numbers(self.numbers),
            Role::Weight => Column::Weights(self.numbers),
            Role::Probability => Column::Target(TargetValues {
                numbers: Some(self.numbers),
                coded: None,
                mostly_numbers: true,
                first_text: None,
            }),
            Role::Target => Column::Target(TargetValues {
                mostly_numbers: self.mostly_numbers(),
                numbers: (self.text_cells == 0).then_some(self.numbers),
                coded: self.dictionary.finish(),
                first_text: self.first_text,
            }),
            Role::Auto if self.text_cells == 0 => Column::Numbers(self.numbers),
            Role::Auto if self.mostly_numbers() => return Err(self.slip(file)),
            Role::Auto if self.dictionary_is_new() => Column::Mixed,
            Role::Auto | Role::Categorical { .. } => {
                let Self { name, role, dictionary, .. } = self;
                let limit = dictionary.limit;
                let stated = role == Role::Categorical { stated: true };
                match dictionary.finish() {
                    None => return Err(too_many(file, &name, &format!("more than {limit}"))),
                    Some(coded) if !stated && rows > FEW_ROWS && coded.texts.len() == rows => {
                        return Err(too_many(file, &name, &format!("{rows}, one in each row,")));
                    }
                    Some(coded) => Column::Categories(coded),
                }
            }
        })
    }

    /// The error of a text among numbers.
    fn slip(self, file: &Path) -> Error {
        let (line, text) = self.first_text.unwrap_or_default();
        let problem = format!(
            "{} is not a number, but {} of the column's {} cells are",
            quoted(&text),
            self.number_cells,
            self.number_cells + self.text_cells
        );
        let key = column_key(&self.name);
        Error::data(file, Place::field(line, &self.name), problem).with_help(format!(
            "correct the cell, or set {key}.type to \"categorical\" or \"ignore\""
        ))
    }
}

fn too_many(file: &Path, name: &str, count: &str) -> Error {
    let problem = format!("text with too many different values to be categories: {count} of them");
    Error::data(file, Place::column(name), problem)
        .with_help(format!("leave the column out with {}.type = \"ignore\"", column_key(name)))
}
