//! The rows that are looked at.

use crate::data::{Dataset, Preprocessing, Rows};
use crate::error::Result;

/// Values of a prediction, over all rows and members, that are looked at at most.
const MOST_PREDICTED: usize = 1 << 22;

/// Encoded values of rows that are looked at at most.
const MOST_ENCODED: usize = 1 << 25;

/// The same of rows in a file: they are held while the network trains.
const MOST_ENCODED_OF_FILE: usize = 1 << 21;

/// Training rows that are looked at at most, where nothing is held out.
const MOST_TRAINED: usize = 10_000;

/// Rows of one set: all of them, or evenly spaced ones where they are very many.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The set: `test`, `validation` or `train`.
    pub set: &'static str,
    /// Rows of the set.
    pub rows_of_set: usize,
    /// The rows.
    pub rows: Rows,
    /// Where each of them is in its file, from 0.
    pub numbers: Vec<usize>,
}

impl Subject {
    /// The test rows of a data set, else its validation rows, else its training rows, for a number of
    /// members. They are copied.
    ///
    /// # Errors
    /// When they are in a file that cannot be read.
    pub fn of(dataset: &Dataset, members: usize) -> Result<Self> {
        let Dataset { train, validation, test, held_out, preprocessing, .. } = dataset;
        match (test, validation) {
            (Some(test), _) => {
                Self::choose("test", test, &held_out.test, usize::MAX, preprocessing, members)
            }
            (None, Some(rows)) => {
                let numbers = &held_out.validation;
                Self::choose("validation", rows, numbers, usize::MAX, preprocessing, members)
            }
            (None, None) => Self::choose("train", train, &[], MOST_TRAINED, preprocessing, members),
        }
    }

    fn choose(
        set: &'static str,
        rows: &Rows,
        numbers: &[usize],
        most: usize,
        preprocessing: &Preprocessing,
        members: usize,
    ) -> Result<Self> {
        let width = preprocessing.outputs().max(2) * members.clamp(1, super::MEMBERS);
        let inputs = preprocessing.inputs().max(1);
        let encoded = if rows.spill.is_some() { MOST_ENCODED_OF_FILE } else { MOST_ENCODED };
        let most = most.min(MOST_PREDICTED / width).min(encoded / inputs).max(1);
        let count = rows.rows.min(most);
        let chosen: Vec<usize> = (0..count).map(|at| at * rows.rows / count.max(1)).collect();
        let numbers = chosen.iter().map(|row| numbers.get(*row).copied().unwrap_or(*row)).collect();
        Ok(Self { set, rows_of_set: rows.rows, rows: gather(rows, &chosen)?, numbers })
    }
}

/// Some of the rows, in that order.
pub(crate) fn gather(rows: &Rows, chosen: &[usize]) -> Result<Rows> {
    let all = rows.spill.is_none()
        && chosen.len() == rows.rows
        && chosen.iter().enumerate().all(|(at, row)| at == *row);
    if all {
        return Ok(rows.clone());
    }
    rows.some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_rows_are_taken_whole() {
        let rows = Rows {
            rows: 3,
            features: vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0],
            targets: vec![5.0, 6.0, 7.0],
            ..Rows::default()
        };
        let some = gather(&rows, &[0, 2]).expect("rows in memory");
        assert_eq!((some.rows, some.features), (2, vec![0.0, 1.0, 20.0, 21.0]));
        assert_eq!((some.targets, some.sample_weights), (vec![5.0, 7.0], vec![]));
        assert_eq!(gather(&rows, &[0, 1, 2]).expect("rows in memory"), rows);
    }
}
