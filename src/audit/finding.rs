//! What is found.

use serde::{Deserialize, Serialize};

/// The most names that a text lists.
const MOST_NAMED: usize = 5;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Kept in the summary and the report alone.
    Info,
    /// Worth a line before training.
    Note,
    /// The scores may lie, or something cannot be learned.
    Warning,
}

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Rows of a set held out that are training rows too.
    DuplicateRows,
    /// Training rows that are alike but for their targets.
    ConflictingTargets,
    /// A column that alone predicts the target nearly perfectly.
    LeakingColumn,
    /// Columns of one value.
    ConstantColumn,
    /// Columns of one value in nearly all rows.
    NearlyConstantColumn,
    /// A column that numbers the rows.
    IdColumn,
    /// Classes or labels that few training rows have, or none.
    RareClass,
    /// Classes or labels that no row of a set held out has.
    MissingClass,
    /// Classes of very different sizes.
    ImbalancedClasses,
    /// Fewer training rows than inputs.
    FewRows,
    /// A column whose values differ between training and a set held out.
    ShiftedColumn,
    /// A target whose values differ between training and a set held out.
    ShiftedTarget,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// How grave it is.
    pub severity: Severity,
    /// The columns, or the classes, that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub columns: Vec<String>,
    /// The first rows that it is about: where they are in their file, from 1, a header not counted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rows: Vec<usize>,
    /// What was found, a phrase.
    pub text: String,
    /// What to do about it, a phrase.
    pub advice: String,
}

impl Finding {
    pub(super) fn new(kind: Kind, severity: Severity, text: String, advice: &str) -> Self {
        let advice = advice.to_owned();
        Self { kind, severity, columns: Vec::new(), rows: Vec::new(), text, advice }
    }

    pub(super) fn of_columns(mut self, columns: Vec<String>) -> Self {
        self.columns = columns;
        self
    }

    pub(super) fn of_rows(mut self, rows: Vec<usize>) -> Self {
        self.rows = rows;
        self
    }

    /// The text and the advice, as one line.
    pub fn line(&self) -> String {
        if self.advice.is_empty() {
            return self.text.clone();
        }
        format!("{}; {}", self.text, self.advice)
    }
}

/// Names for a text: the first ones, each in quotes, and how many are left out.
pub(super) fn named(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(MOST_NAMED).map(|name| format!("{name:?}")).collect();
    match names.len().saturating_sub(MOST_NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `3.2 %`.
pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent >= 10.0 => format!("{percent:.0} %"),
        percent if percent >= 0.1 => format!("{percent:.1} %"),
        percent => format!("{percent:.2} %"),
    }
}
