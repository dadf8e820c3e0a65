//! Remarks on columns, a line for each kind of thing there is to say.

use crate::data::encoding::{CellKind, Met, written_date};
use crate::data::preprocessing::InputColumn;
use crate::data::table::listed;

/// The most columns that a remark on left-out ones names.
const MOST_NAMED: usize = 5;

/// What there is to say of columns once they are fitted.
#[derive(Debug, Default)]
pub(in crate::data) struct Remarks {
    /// One-hot encoded columns, with the number of their categories.
    pub(super) one_hot: Vec<String>,
    /// Embedded columns, with the number of their categories and the length of their vectors.
    pub(super) embedded: Vec<String>,
    /// Columns left out since they are constant.
    pub(super) constant: Vec<String>,
    /// Columns that are constant and stay.
    pub(super) constant_in_matrix: Vec<String>,
    /// Columns left out since they are empty.
    pub(super) empty: Vec<String>,
    /// Columns of whole numbers of which neighbours become the same encoded number.
    pub(super) rounded: Vec<String>,
    filled: Vec<String>,
}

impl Remarks {
    /// Missing cells of training rows were filled with a number, a truth value or a date.
    pub(super) fn filled(&mut self, name: &str, cells: usize, kind: CellKind, value: f64) {
        let value = match kind {
            CellKind::Boolean if value == 0.0 => "no".to_owned(),
            CellKind::Boolean if value == 1.0 => "yes".to_owned(),
            CellKind::Date => written_date(value),
            _ => (value as f32).to_string(),
        };
        self.filled_by(name, cells, &value);
    }

    /// Missing cells of training rows became `what`.
    pub(super) fn filled_by(&mut self, name: &str, cells: usize, what: &str) {
        self.filled.push(format!("{name} ({cells}: {what})"));
    }

    /// The remarks as lines.
    pub(in crate::data) fn lines(self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut say = |before: &str, columns: &[String]| {
            if !columns.is_empty() {
                lines.push(format!("{before}: {}", listed(columns)));
            }
        };
        say("one-hot encoded, with their categories", &self.one_hot);
        say("embedded, with their categories and the size of a vector", &self.embedded);
        say("filled where missing in training rows, with what", &self.filled);
        say(
            "whole numbers that 32-bit floats, in which networks train, do not tell apart",
            &self.rounded,
        );
        for (names, end) in [
            (&self.constant, "constant in the training rows, and left out"),
            (&self.constant_in_matrix, "constant in the training rows, and says nothing"),
            (&self.empty, "empty in the training rows, and left out"),
        ] {
            lines.extend(columns_are(names, end));
        }
        lines
    }
}

/// `column "a" is ...`, or several of them.
fn columns_are(names: &[String], what: &str) -> Option<String> {
    let shown = names.iter().take(MOST_NAMED).map(|name| format!("{name:?}"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        1 => Some(format!("column {shown} is {what}")),
        count if count <= MOST_NAMED => {
            Some(format!("columns {shown} are {}", what.replace("says", "say")))
        }
        count => Some(format!("{count} columns are {}: {shown}, ...", what.replace("says", "say"))),
    }
}

/// What there is to say of rows that were encoded with preprocessing fitted before: `met` is what was
/// met in each of the columns `inputs`.
pub(in crate::data) fn of_cells(inputs: &[InputColumn], met: &[Met]) -> Vec<String> {
    let count = |of: fn(&Met) -> usize| -> Vec<String> {
        let columns = inputs.iter().zip(met);
        columns
            .filter(|(_, met)| of(met) > 0)
            .map(|(input, met)| format!("{} ({})", input.name, of(met)))
            .collect()
    };
    let mut lines = Vec::new();
    let missing = count(|met| met.missing);
    if !missing.is_empty() {
        lines.push(format!("missing cells, filled as in training: {}", listed(&missing)));
    }
    let unseen = count(|met| met.unseen);
    if !unseen.is_empty() {
        let what = "cells of a category that training did not see, taken for none";
        lines.push(format!("{what}: {}", listed(&unseen)));
    }
    lines
}
