//! The folds of a cross-validation.

use std::cmp::Reverse;
use std::path::Path;

use rand::seq::SliceRandom;

use super::split::{Keys, in_groups};
use crate::config::data::DataSettings;
use crate::error::{Error, Result};
use crate::random::{Purpose, Stream};

/// The part of each training row, and which parts the network of a fold trains on and is validated on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    count: usize,
    /// The part of each row. There are as many as folds, or one more where they follow time.
    parts: Vec<u32>,
    follows_time: bool,
}

impl Folds {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether the network of a fold trains only on rows that are older than those it is validated on.
    pub fn follows_time(&self) -> bool {
        self.follows_time
    }

    /// The rows that the network of a fold trains on, ascending.
    pub fn trained(&self, fold: usize) -> Vec<u32> {
        self.rows(|part| if self.follows_time { part <= fold } else { part != fold })
    }

    /// The rows that it is validated on, ascending.
    pub fn validated(&self, fold: usize) -> Vec<u32> {
        self.rows(|part| part == fold + usize::from(self.follows_time))
    }

    fn rows(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<u32> {
        let rows = (0..).zip(&self.parts);
        rows.filter(|(_, part)| is_wanted(**part as usize)).map(|(row, _)| row).collect()
    }

    /// Those of some of the rows.
    pub(super) fn of(&self, rows: &[usize]) -> Self {
        let parts = rows.iter().filter_map(|row| self.parts.get(*row).copied()).collect();
        Self { count: self.count, parts, follows_time: self.follows_time }
    }
}

/// Parts the training rows (`rows` of the file, ascending) into `count` folds that differ by a row at
/// most, and as little in each class; whole groups go to the fold that has the fewest rows, the largest
/// first (as scikit-learn's `GroupKFold`). By time the rows are cut, oldest first, into one part more
/// than there are folds, and the network of fold f trains on parts 0 to f and is validated on the next
/// (as its `TimeSeriesSplit`).
pub(super) fn part(
    file: &Path,
    count: usize,
    rows: &[usize],
    keys: &Keys,
    classes: Option<(&[u32], usize)>,
    settings: &DataSettings,
) -> Result<Folds> {
    let least = count + usize::from(matches!(keys, Keys::Times { .. }));
    if rows.len() < least {
        return Err(too_many(count, file, &format!("{} training rows", rows.len()))
            .with_help("give fewer folds: each needs a row of its own"));
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if settings.shuffle && !matches!(keys, Keys::Times { .. }) {
        order.shuffle(&mut Stream::new(settings.seed, Purpose::Split, 1, 0));
    }
    let mut parts = vec![0_u32; rows.len()];
    let mut follows_time = false;
    match keys {
        Keys::Groups { codes, .. } => {
            let mut groups = in_groups(order.into_iter(), |at| codes[rows[at]]);
            if groups.len() < count {
                return Err(too_many(count, file, &format!("{} groups", groups.len()))
                    .with_help("give fewer folds: each needs a group of its own"));
            }
            groups.sort_by_key(|group| Reverse(group.len()));
            let mut sizes = vec![0; count];
            for group in groups {
                let fold = (0..count).min_by_key(|fold| sizes[*fold]).unwrap_or(0);
                sizes[fold] += group.len();
                group.into_iter().for_each(|at| parts[at] = fold as u32);
            }
        }
        Keys::Times { times, .. } => {
            follows_time = true;
            order.sort_by(|a, b| times[rows[*a]].total_cmp(&times[rows[*b]]));
            in_pieces(&order, count + 1, &mut parts);
        }
        Keys::None => match classes.filter(|_| settings.stratify) {
            Some((codes, classes)) => {
                let mut sizes = vec![0_usize; classes];
                rows.iter().for_each(|row| sizes[codes[*row] as usize] += 1);
                let smallest = sizes.iter().copied().filter(|size| *size > 0).min().unwrap_or(0);
                if smallest < count {
                    let found = format!("{smallest} training rows in the smallest class");
                    return Err(too_many(count, file, &found).with_help(
                        "give fewer folds, or data.stratify = false for folds that lack a class",
                    ));
                }
                // Dealt out class by class, each going on where the one before ended.
                order.sort_by_key(|at| codes[rows[*at]]);
                for (place, at) in order.into_iter().enumerate() {
                    parts[at] = (place % count) as u32;
                }
            }
            None => in_pieces(&order, count, &mut parts),
        },
    }
    Ok(Folds { count, parts, follows_time })
}

/// Cuts an order into `pieces` that differ by a row at most, the larger ones first.
fn in_pieces(order: &[usize], pieces: usize, parts: &mut [u32]) {
    let (least, larger) = (order.len() / pieces, order.len() % pieces);
    let mut rest = order;
    for piece in 0..pieces {
        let (own, others) = rest.split_at(least + usize::from(piece < larger));
        own.iter().for_each(|at| parts[*at] = piece as u32);
        rest = others;
    }
}

fn too_many(count: usize, file: &Path, found: &str) -> Error {
    Error::config(
        "data.folds",
        format!("{count} folds are too many for {}: {found}", file.display()),
    )
}
