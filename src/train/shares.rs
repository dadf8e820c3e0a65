//! The rows of a set that each member takes, where they are not all of them: cross-validation.

use crate::data::Folds;

/// Rows of a set, ascending, for each fold in turn: member m has those of fold m modulo their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares(Vec<Vec<u32>>);

impl Shares {
    /// The rows that the network of each fold trains on.
    pub fn trained(folds: &Folds) -> Self {
        Self((0..folds.count()).map(|fold| folds.trained(fold)).collect())
    }

    /// The rows that it is validated on.
    pub fn validated(folds: &Folds) -> Self {
        Self((0..folds.count()).map(|fold| folds.validated(fold)).collect())
    }

    /// The number of folds.
    pub fn folds(&self) -> usize {
        self.0.len()
    }

    /// A member's rows.
    pub fn of(&self, member: usize) -> &[u32] {
        &self.0[member % self.0.len()]
    }

    /// The rows of the member that has most of them.
    pub fn most(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The rows of the member that has fewest.
    pub fn least(&self) -> usize {
        self.0.iter().map(Vec::len).min().unwrap_or(0)
    }
}
