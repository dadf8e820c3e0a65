//! What one field of a text file holds.

use crate::error::short;

/// One field, looked at alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// Nothing, or a mark that stands for nothing.
    Missing,
    /// A number that f32 can hold.
    Number(f64),
    /// A number that is infinite, or too large for f32.
    NotFinite,
    /// Anything else.
    Text,
}

/// What stands for a missing value, whatever the case of its letters.
const MISSING: [&str; 5] = ["na", "n/a", "nan", "null", "?"];

impl Cell {
    /// Looks at a field without blanks around it.
    pub(super) fn of(field: &str) -> Self {
        if field.is_empty() || MISSING.iter().any(|mark| field.eq_ignore_ascii_case(mark)) {
            return Self::Missing;
        }
        match field.parse::<f64>() {
            Ok(number) if number.is_nan() => Self::Missing,
            Ok(number) if number.abs() > f64::from(f32::MAX) => Self::NotFinite,
            Ok(number) => Self::Number(number),
            Err(_) => Self::Text,
        }
    }
}

/// Whether a field is a finite number.
pub(super) fn is_number(field: &str) -> bool {
    matches!(Cell::of(field), Cell::Number(_))
}

/// A field in quotes, cut to a length that a message can bear.
pub(super) fn quoted(field: &str) -> String {
    format!("{:?}", short(field))
}

fn missing_value(field: &str) -> String {
    if field.is_empty() {
        "missing value (an empty field)".to_owned()
    } else {
        format!("missing value ({})", quoted(field))
    }
}

/// What is wrong with a field, and what to do about it.
#[derive(Debug)]
pub(super) struct Fault {
    /// What was found and what was expected.
    pub(super) problem: String,
    /// What to do.
    pub(super) help: String,
}

impl Fault {
    /// A missing value in an input column that takes none.
    pub(super) fn missing(column: &str, field: &str) -> Self {
        let key = column_key(column);
        let help = format!(
            "remove the rows that lack a value, or have it filled: {key}.missing = \"median\" for \
             numbers, \"category\" for text, or a value; or leave the column out with {key}.type = \
             \"ignore\""
        );
        Self { problem: missing_value(field), help }
    }

    /// A missing value in a target or a weight.
    pub(super) fn missing_target(field: &str) -> Self {
        let help = "remove the rows that lack a value".to_owned();
        Self { problem: missing_value(field), help }
    }

    /// A column of which a network can take nothing.
    pub(super) fn unusable(column: &str, what: &str) -> Self {
        Self {
            problem: format!("the column holds what a network cannot take: {what}"),
            help: format!(
                "make columns of numbers or text of it, or leave it out with {}.type = \"ignore\"",
                column_key(column)
            ),
        }
    }

    /// Something else where yes or no is expected.
    pub(super) fn boolean(field: &str) -> Self {
        Self {
            problem: format!("{} is neither yes nor no", quoted(field)),
            help: "a boolean column holds true and false, yes and no, t and f, y and n, or 1 and 0"
                .to_owned(),
        }
    }

    /// Something else where a date is expected.
    pub(super) fn date(field: &str) -> Self {
        Self {
            problem: format!("{} is not a date in ISO 8601", quoted(field)),
            help: "write dates as 2024-03-31 or 2024-03-31T18:05:00".to_owned(),
        }
    }

    /// An infinite or too large number.
    pub(super) fn not_finite(field: &str) -> Self {
        Self {
            problem: format!("{} is not a finite 32-bit number", quoted(field)),
            help: format!("numbers must lie within {:e} on either side of 0", f32::MAX),
        }
    }

    /// Text where numbers are expected.
    pub(super) fn text(field: &str, help: String) -> Self {
        Self { problem: format!("{} is not a number", quoted(field)), help }
    }
}

/// How far from 1 the sum of a row's probabilities may be: 1e-4, so that a third may be written
/// as 0.3333, and the rounding of the sum.
const DISTRIBUTION_TOLERANCE: f64 = 1.01e-4;

/// Checks a probability.
pub(super) fn check_probability(value: f64, field: &str) -> Result<f64, Fault> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value + 0.0);
    }
    Err(Fault {
        problem: format!("{} is not a probability", quoted(field)),
        help: "several targets of a classification task are the classes' probabilities: numbers \
               from 0 to 1 whose sum is 1"
            .to_owned(),
    })
}

/// Checks that the probabilities of a row are those of a distribution.
pub(super) fn check_distribution(probabilities: impl Iterator<Item = f64>) -> Result<(), Fault> {
    let sum: f64 = probabilities.sum();
    if (sum - 1.0).abs() <= DISTRIBUTION_TOLERANCE {
        return Ok(());
    }
    let sum = (sum * 1e6).round() / 1e6;
    Err(Fault {
        problem: format!(
            "the targets' sum is {sum}, and the probabilities of all classes add to 1"
        ),
        help:
            "divide the row's targets by their sum, or set data.task to \"multilabel\" if several \
               classes can be there at once"
                .to_owned(),
    })
}

/// Checks a row's weight.
pub(super) fn check_weight(value: f64, field: &str) -> Result<f64, Fault> {
    if value >= 0.0 {
        return Ok(value + 0.0);
    }
    Err(Fault {
        problem: format!("{} is negative", quoted(field)),
        help: "a weight is a number, 0 or more".to_owned(),
    })
}

/// The config key of a column.
pub(super) fn column_key(column: &str) -> String {
    format!("data.columns.{column}")
}
