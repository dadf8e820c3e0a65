//! The rows that are looked at.

use crate::data::{Dataset, Preprocessing, Rows};

/// Values of a prediction, over all rows and members, that are looked at at most.
const MOST_PREDICTED: usize = 1 << 22;

/// Encoded values of rows that are looked at at most.
const MOST_ENCODED: usize = 1 << 25;

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
    pub fn of(dataset: &Dataset, members: usize) -> Self {
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
    ) -> Self {
        let width = preprocessing.outputs().max(2) * members.clamp(1, super::MEMBERS);
        let inputs = preprocessing.inputs().max(1);
        let most = most.min(MOST_PREDICTED / width).min(MOST_ENCODED / inputs).max(1);
        let count = rows.rows.min(most);
        let chosen: Vec<usize> = (0..count).map(|at| at * rows.rows / count.max(1)).collect();
        let numbers = chosen.iter().map(|row| numbers.get(*row).copied().unwrap_or(*row)).collect();
        Self { set, rows_of_set: rows.rows, rows: gather(rows, &chosen), numbers }
    }
}

/// Some of the rows, in that order.
pub(super) fn gather(rows: &Rows, chosen: &[usize]) -> Rows {
    let all = chosen.len() == rows.rows && chosen.iter().enumerate().all(|(at, row)| at == *row);
    if all {
        return rows.clone();
    }
    let of = |values: &[f32]| -> Vec<f32> {
        let width = values.len() / rows.rows.max(1);
        chosen.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
    };
    Rows {
        rows: chosen.len(),
        features: of(&rows.features),
        targets: of(&rows.targets),
        sample_weights: of(&rows.sample_weights),
    }
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
            sample_weights: Vec::new(),
        };
        let some = gather(&rows, &[0, 2]);
        assert_eq!((some.rows, some.features), (2, vec![0.0, 1.0, 20.0, 21.0]));
        assert_eq!((some.targets, some.sample_weights), (vec![5.0, 7.0], vec![]));
        assert_eq!(gather(&rows, &[0, 1, 2]), rows);
    }
}
