//! Encoded rows, in memory or in a file.

use std::sync::Arc;

use super::spill::Spill;
use crate::error::Result;

/// Encoded rows of one set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// The number of rows.
    pub rows: usize,
    /// `[rows, inputs]`, row-major: scaled numbers, and 0 or 1 for categories. Empty where they are in
    /// a file.
    pub features: Vec<f32>,
    /// The file that they are in, where they do not fit in memory.
    pub spill: Option<Arc<Spill>>,
    /// `[rows, target width]`, row-major: a class index, or a probability for each class, or 0 or
    /// 1 for each label, or scaled numbers for regression. Empty for rows that are only predicted.
    pub targets: Vec<f32>,
    /// `[rows]`: what each row counts, 0 or more and not all 0. Empty where all count 1.
    pub sample_weights: Vec<f32>,
}

/// Values that are read at once of rows in a file.
const PIECE: usize = 1 << 20;

impl Rows {
    /// The encoded inputs of some rows, in that order.
    ///
    /// # Errors
    /// When they are in a file that cannot be read.
    pub fn features_of(&self, rows: &[usize]) -> Result<Vec<f32>> {
        let width = self.width();
        let mut features = vec![0.0; rows.len() * width];
        for (row, out) in rows.iter().zip(features.chunks_exact_mut(width.max(1))) {
            match &self.spill {
                Some(spill) => spill.read(*row, out)?,
                None => out.copy_from_slice(&self.features[row * width..(row + 1) * width]),
            }
        }
        Ok(features)
    }

    /// Some of the rows, in that order, in memory.
    ///
    /// # Errors
    /// When they are in a file that cannot be read.
    pub fn some(&self, chosen: &[usize]) -> Result<Self> {
        let of = |values: &[f32]| -> Vec<f32> {
            let width = values.len() / self.rows.max(1);
            chosen.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
        };
        Ok(Self {
            rows: chosen.len(),
            features: self.features_of(chosen)?,
            targets: of(&self.targets),
            sample_weights: of(&self.sample_weights),
            spill: None,
        })
    }

    /// Hands all encoded inputs to `each`, whole rows at a time, in order.
    ///
    /// # Errors
    /// When they are in a file that cannot be read; those of `each`.
    pub fn each_piece(&self, each: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let Some(spill) = &self.spill else { return each(&self.features) };
        let at_once = (PIECE / spill.width.max(1)).max(1);
        let mut piece = Vec::new();
        for first in (0..spill.rows).step_by(at_once) {
            piece.resize(at_once.min(spill.rows - first) * spill.width, 0.0);
            spill.read(first, &mut piece)?;
            each(&piece)?;
        }
        Ok(())
    }

    /// Inputs of a row.
    pub fn width(&self) -> usize {
        match &self.spill {
            Some(spill) => spill.width,
            None => self.features.len().checked_div(self.rows).unwrap_or(0),
        }
    }

    /// Appends other rows of the same set.
    pub(super) fn append(&mut self, other: Self) {
        if self.rows == 0 {
            *self = other;
            return;
        }
        self.rows += other.rows;
        self.features.extend(other.features);
        self.targets.extend(other.targets);
        self.sample_weights.extend(other.sample_weights);
    }
}
