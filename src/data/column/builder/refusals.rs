//! Why a column that was read is refused.

use std::path::Path;

use super::Builder;
use crate::data::cell::{column_key, quoted};
use crate::data::encoding::seconds;
use crate::error::{Error, Place};

impl Builder {
    /// The error of a column of dates that nobody called so.
    pub(super) fn undecided_dates(self) -> Error {
        let Some(found) = self.first_text else { return Error::internal("dates without text") };
        let key = column_key(&self.name);
        let problem = format!("{} is a date, as is all of the column", quoted(&found.text));
        let help = match seconds(&found.text) {
            Some(_) => format!(
                "set {key}.type to \"date\", which makes days and the place in the year and the \
                 week of it, or to \"ignore\""
            ),
            None => format!(
                "write the dates as 2024-03-31 or 2024-03-31T18:05:00 and set {key}.type to \
                 \"date\", or leave the column out with \"ignore\""
            ),
        };
        found.error(problem).with_help(help)
    }

    /// The error of a text among numbers.
    pub(super) fn slip(self) -> Error {
        let Some(found) = self.first_text else { return Error::internal("a slip without text") };
        let problem = format!(
            "{} is not a number, but {} of the column's {} cells are",
            quoted(&found.text),
            self.number_cells,
            self.number_cells + self.text_cells
        );
        let key = column_key(&self.name);
        found.error(problem).with_help(format!(
            "correct the cell, or set {key}.type to \"categorical\" or \"ignore\""
        ))
    }
}

/// The error of a column of dates of a format that tells them, which nobody called so.
pub(super) fn typed_dates(file: &Path, name: &str) -> Error {
    let key = column_key(name);
    Error::data(file, Place::column(name), "the column holds dates").with_help(format!(
        "set {key}.type to \"date\", which makes days and the place in the year and the week of it, \
         or to \"ignore\""
    ))
}

/// The error of text that is no categories: `count` different values, and why that is too many.
pub(super) fn too_many(file: &Path, name: &str, count: &str) -> Error {
    let problem = format!("text with too many different values to be categories: {count} of them");
    Error::data(file, Place::column(name), problem)
        .with_help(format!("leave the column out with {}.type = \"ignore\"", column_key(name)))
}
