//! A column that is being read.

mod refusals;

use std::path::Path;

use super::dictionary::Dictionary;
use super::{Coded, Column, Found, MOST_LABELS, Role, TargetValues, written};
use crate::config::data::CategoryEncoding;
use crate::data::cell::{Cell, Fault, check_probability, check_weight, column_key};
use crate::data::encoding::{MOST_CATEGORIES, are_boolean, boolean, looks_like_date, seconds};
use crate::data::read::{Cells, Chunk, Kind, Numbers};
use crate::error::Result;

/// The most categories of a column that nobody called categorical, where each takes an input.
const MOST_FOUND_CATEGORIES: usize = 1_000;
/// From so many categories on, a column that nobody called categorical needs [`ROWS_OF_CATEGORY`] rows for
/// each.
const MANY_CATEGORIES: usize = 1_000;
/// Rows of a category, on average: less often, and there is little to learn of it.
const ROWS_OF_CATEGORY: usize = 2;
/// Up to this many rows a text column may differ in every row.
const FEW_ROWS: usize = 10;

/// A text that was met before.
#[derive(Clone, Copy)]
struct Category {
    /// Whether it counts as text, rather than as a number.
    is_text: bool,
    code: u32,
}

/// A column that is being read.
pub(in crate::data) struct Builder {
    name: String,
    role: Role,
    /// Whether a missing cell is an error.
    refuses_missing: bool,
    /// Whether the cells are kept.
    keeps: bool,
    /// Numbers out of text.
    numbers: Vec<f64>,
    /// Numbers as a format holds them.
    typed: Option<Numbers>,
    /// What a format that holds numbers says they are.
    kind: Option<Kind>,
    number_cells: usize,
    text_cells: usize,
    missing_cells: usize,
    first_text: Option<Found>,
    first_missing: Option<Found>,
    /// Whether all text so far is dates, and how the first one is written.
    dates: Option<String>,
    dictionary: Dictionary,
}

impl Builder {
    /// An empty column. Without `keeps` the cells of an input are looked at, for what they are, and
    /// let go. Its categories, if it has such, are encoded by `encoding`.
    pub(in crate::data) fn new(
        name: &str,
        role: Role,
        encoding: CategoryEncoding,
        refuses_missing: bool,
        keeps: bool,
    ) -> Self {
        let keeps = keeps || matches!(role, Role::Target | Role::Probability | Role::Weight);
        let limit = match (role, encoding) {
            (Role::Target, _) => MOST_LABELS,
            (_, CategoryEncoding::Auto | CategoryEncoding::Embedding) => MOST_CATEGORIES,
            (Role::Categorical { stated: true }, CategoryEncoding::OneHot) => MOST_LABELS,
            (_, CategoryEncoding::OneHot) => MOST_FOUND_CATEGORIES,
        };
        Self {
            name: name.to_owned(),
            role,
            refuses_missing,
            numbers: Vec::new(),
            typed: None,
            kind: None,
            number_cells: 0,
            text_cells: 0,
            missing_cells: 0,
            first_text: None,
            first_missing: None,
            dates: None,
            keeps,
            dictionary: Dictionary::new(limit, keeps),
        }
    }

    /// Whether the column's cells are looked at.
    pub(in crate::data) fn is_wanted(&self) -> bool {
        self.role != Role::Ignore
    }

    /// Takes a chunk's cells; a fault comes with its row within the chunk.
    pub(in crate::data) fn take(
        &mut self,
        chunk: &Chunk,
        kind: &Kind,
        cells: &Cells,
    ) -> Result<(), (usize, Fault)> {
        if self.role == Role::Ignore {
            return Ok(());
        }
        match (cells, kind) {
            (_, Kind::Unusable(what)) => Err((0, Fault::unusable(&self.name, what))),
            (Cells::Skipped, _) => Ok(()),
            (Cells::Text(texts), _) => match texts.shared() {
                Some((texts, rows)) => self.take_shared(chunk, &texts, rows),
                None => texts.iter().enumerate().try_for_each(|(row, field)| {
                    self.push(chunk, row, field).map_err(|fault| (row, fault))
                }),
            },
            (Cells::Numbers(numbers), kind) => self.take_numbers(chunk, kind, numbers),
        }
    }

    /// Takes texts that rows share: what a category is to the column is found once.
    fn take_shared(
        &mut self,
        chunk: &Chunk,
        texts: &[&str],
        rows: &[u32],
    ) -> Result<(), (usize, Fault)> {
        let mut known = vec![None; texts.len()];
        for (row, text) in rows.iter().enumerate() {
            let text = usize::try_from(*text).unwrap_or(usize::MAX);
            match known.get(text).copied().flatten() {
                Some(category) => self.push_category(category),
                None => {
                    let field = texts.get(text).copied().unwrap_or_default();
                    // One more of the same changes nothing but counts and codes.
                    let is_settled = self.collects_categories();
                    let before = self.text_cells;
                    self.push(chunk, row, field).map_err(|fault| (row, fault))?;
                    if let Some(known) = known.get_mut(text).filter(|_| is_settled)
                        && let Some(code) = self.dictionary.code(field)
                    {
                        *known = Some(Category { is_text: self.text_cells > before, code });
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether every cell that is there becomes a category, come what may.
    fn collects_categories(&self) -> bool {
        match self.role {
            Role::Categorical { .. } => true,
            Role::Auto | Role::Target => self.text_cells > 0 && !self.dictionary.is_new(),
            _ => false,
        }
    }

    fn push_category(&mut self, category: Category) {
        let count = if category.is_text { &mut self.text_cells } else { &mut self.number_cells };
        *count += 1;
        self.dictionary.push_code(category.code);
    }

    fn take_numbers(
        &mut self,
        chunk: &Chunk,
        kind: &Kind,
        numbers: &Numbers,
    ) -> Result<(), (usize, Fault)> {
        let kept = match (self.role, kind) {
            (Role::Auto | Role::Date, Kind::Date) => Kind::Date,
            (Role::Auto | Role::Boolean, Kind::Boolean) => Kind::Boolean,
            (Role::Auto | Role::Numeric, Kind::Number | Kind::Boolean | Kind::Unknown) => {
                Kind::Number
            }
            (Role::Date, _) => return Err((0, Fault::date("a number"))),
            (Role::Target | Role::Probability | Role::Weight, Kind::Date) => {
                return Err((0, Fault::unusable(&self.name, "dates")));
            }
            (Role::Target, Kind::Number | Kind::Unknown) => {
                return self.take_target(chunk, kind, numbers);
            }
            // The others take them one by one, as text is taken.
            _ => {
                for row in 0..numbers.len() {
                    let field = written(numbers.get(row).unwrap_or(f64::NAN), kind);
                    self.push(chunk, row, &field).map_err(|fault| (row, fault))?;
                }
                return Ok(());
            }
        };
        let missing = numbers.missing();
        if missing > 0 && self.refuses_missing {
            let row = numbers.first_missing().unwrap_or_default();
            return Err((row, Fault::missing(&self.name, "")));
        }
        self.missing_cells += missing;
        self.number_cells += numbers.len();
        self.kind = Some(kept);
        match &mut self.typed {
            _ if !self.keeps => self.typed = Some(Numbers::F64(Vec::new())),
            Some(typed) => typed.extend(numbers),
            None => self.typed = Some(numbers.clone()),
        }
        Ok(())
    }

    /// Takes a target's numbers; they are classes too while there are few different ones.
    fn take_target(
        &mut self,
        chunk: &Chunk,
        kind: &Kind,
        numbers: &Numbers,
    ) -> Result<(), (usize, Fault)> {
        for row in 0..numbers.len() {
            let number = numbers.get(row).unwrap_or(f64::NAN);
            if !number.is_finite() || number.abs() > f64::from(f32::MAX) || self.text_cells > 0 {
                self.push(chunk, row, &written(number, kind)).map_err(|fault| (row, fault))?;
                continue;
            }
            self.number_cells += 1;
            self.numbers.push(number);
            self.dictionary.push_number(number, kind);
        }
        Ok(())
    }

    /// Takes the next row's cell.
    fn push(&mut self, chunk: &Chunk, row: usize, field: &str) -> Result<(), Fault> {
        let cell = Cell::of(field);
        if cell == Cell::Missing {
            return self.push_missing(chunk, row, field);
        }
        if matches!(self.role, Role::Categorical { .. }) {
            self.number_cells += 1;
            self.dictionary.push(field);
            return Ok(());
        }
        if self.role == Role::Date {
            let seconds = seconds(field).ok_or_else(|| Fault::date(field))?;
            self.number_cells += 1;
            self.keep(seconds);
            return Ok(());
        }
        if self.role == Role::Boolean {
            let yes = boolean(field).ok_or_else(|| Fault::boolean(field))?;
            self.number_cells += 1;
            self.keep(if yes { 1.0 } else { 0.0 });
            return Ok(());
        }
        // The first cell of an undecided column that is there decides what is kept of it.
        let leads_with_text = self.role == Role::Auto && !self.dictionary.is_new();
        match cell {
            Cell::Number(number) => {
                let number = match self.role {
                    Role::Probability => check_probability(number, field)?,
                    Role::Weight => check_weight(number, field)?,
                    _ => number,
                };
                self.number_cells += 1;
                if self.text_cells == 0 {
                    self.keep(number);
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
                    self.first_text = Some(Found::in_chunk(chunk, row, &self.name, field));
                    self.numbers = Vec::new();
                    self.dates = looks_like_date(field).then(|| field.to_owned());
                    if self.role == Role::Auto && self.number_cells == 0 {
                        self.dictionary.begin(self.missing_cells);
                    }
                } else if self.dates.is_some() && !looks_like_date(field) {
                    self.dates = None;
                }
                if leads_with_text || self.number_cells == 0 || self.role == Role::Target {
                    self.dictionary.push(field);
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, number: f64) {
        if self.keeps {
            self.numbers.push(number);
        }
    }

    fn push_missing(&mut self, chunk: &Chunk, row: usize, field: &str) -> Result<(), Fault> {
        match self.role {
            Role::Probability | Role::Weight => return Err(Fault::missing_target(field)),
            Role::Target => {}
            _ if self.refuses_missing => return Err(Fault::missing(&self.name, field)),
            _ => {}
        }
        self.missing_cells += 1;
        if self.first_missing.is_none() {
            self.first_missing = Some(Found::in_chunk(chunk, row, &self.name, field));
        }
        match self.role {
            Role::Ignore | Role::Target | Role::Probability | Role::Weight => {}
            Role::Numeric | Role::Boolean | Role::Date => self.keep(f64::NAN),
            Role::Categorical { .. } => self.dictionary.push_missing(),
            Role::Auto if !self.dictionary.is_new() => self.dictionary.push_missing(),
            Role::Auto if self.text_cells == 0 => self.keep(f64::NAN),
            Role::Auto => {}
        }
        Ok(())
    }

    /// The numbers of the last `rows` rows.
    pub(in crate::data) fn last_numbers(&self, rows: usize) -> &[f64] {
        self.numbers.get(self.numbers.len().saturating_sub(rows)..).unwrap_or(&[])
    }

    /// Whether so many cells are numbers that a text among them is a slip: nine in ten.
    fn mostly_numbers(&self) -> bool {
        self.text_cells.saturating_mul(10) <= self.number_cells.saturating_add(self.text_cells)
    }

    /// The column.
    pub(in crate::data) fn finish(mut self, file: &Path) -> Result<Column> {
        let rows = self.number_cells + self.text_cells;
        if let (Role::Target, Some(found)) = (self.role, &self.first_missing) {
            let mut fault = Fault::missing_target(&found.text);
            if self.missing_cells > 1 {
                fault.problem.push_str(&format!("; {} rows lack the target", self.missing_cells));
            }
            return Err(found.clone().error(fault.problem).with_help(fault.help));
        }
        if let (Some(typed), Some(kind)) = (self.typed.take(), &self.kind) {
            return Ok(match kind {
                Kind::Date if self.role == Role::Auto => {
                    return Err(refusals::typed_dates(file, &self.name));
                }
                Kind::Date => Column::Dates(typed.into_reals()),
                Kind::Boolean => Column::Booleans(typed.into_reals()),
                _ => Column::Numbers(typed),
            });
        }
        Ok(match self.role {
            Role::Ignore => Column::Ignored,
            Role::Numeric => Column::Numbers(Numbers::F64(self.numbers)),
            Role::Boolean => Column::Booleans(self.numbers),
            Role::Date => Column::Dates(self.numbers),
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
                coded: self.dictionary.finish().ok(),
                first_text: self.first_text,
            }),
            Role::Auto if self.text_cells == 0 => Column::Numbers(Numbers::F64(self.numbers)),
            Role::Auto if self.mostly_numbers() => return Err(self.slip()),
            Role::Auto if self.number_cells == 0 && self.dates.is_some() => {
                return Err(self.undecided_dates());
            }
            Role::Auto if self.dictionary.is_new() => Column::Mixed,
            Role::Auto | Role::Categorical { .. } => {
                let Self { name, role, dictionary, .. } = self;
                let stated = role == Role::Categorical { stated: true };
                match dictionary.finish() {
                    Err(count) => {
                        return Err(refusals::too_many(file, &name, &format!("more than {count}")));
                    }
                    Ok(coded) if !stated && rows > FEW_ROWS && coded.texts.len() == rows => {
                        return Err(refusals::too_many(
                            file,
                            &name,
                            &format!("{rows}, one in each row,"),
                        ));
                    }
                    Ok(coded) if !stated && are_rare(coded.texts.len(), rows) => {
                        let count = format!("{} in {rows} rows", coded.texts.len());
                        return Err(refusals::too_many(file, &name, &count));
                    }
                    Ok(coded) if !stated && are_boolean(&coded.texts) => {
                        Column::Booleans(truth_values(&coded))
                    }
                    Ok(coded) => Column::Categories(coded),
                }
            }
        })
    }
}

/// Whether categories are too many for the rows there are.
fn are_rare(categories: usize, rows: usize) -> bool {
    categories > MANY_CATEGORIES && categories.saturating_mul(ROWS_OF_CATEGORY) > rows
}

/// A column of words for yes and no as truth values.
fn truth_values(coded: &Coded) -> Vec<f64> {
    let values: Vec<f64> = coded
        .texts
        .iter()
        .map(|text| boolean(text).map_or(f64::NAN, |yes| if yes { 1.0 } else { 0.0 }))
        .collect();
    let value = |code: &u32| usize::try_from(*code).ok().and_then(|code| values.get(code));
    coded.codes.iter().map(|code| value(code).copied().unwrap_or(f64::NAN)).collect()
}
