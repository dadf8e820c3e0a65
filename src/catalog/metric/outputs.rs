//! What a network gave for every row of a set.

use crate::config::data::Task;

/// What one member's outputs on a set were, for metrics that need every row.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    /// The task.
    pub task: Task,
    /// Rows.
    pub rows: usize,
    /// Classes (2 for a binary task), labels, or targets.
    pub width: usize,
    /// `[rows, width]`: probabilities (binary: of class 0 and of class 1), or predictions in the
    /// user's units.
    pub predictions: &'a [f64],
    /// `[rows]`: class indices; or `[rows, width]`: labels of 0 or 1, or values in the user's
    /// units.
    pub targets: &'a [f64],
}

impl<'a> Outputs<'a> {
    /// Whether there are outputs, as many as said, and every prediction is a number.
    pub fn is_sound(&self) -> bool {
        let cells = self.rows * self.width;
        let targets = if self.has_classes() { self.rows } else { cells };
        cells > 0
            && self.predictions.len() == cells
            && self.targets.len() == targets
            && !self.predictions.iter().any(|prediction| prediction.is_nan())
    }

    /// Whether a row's target is one of several classes.
    pub fn has_classes(&self) -> bool {
        matches!(self.task, Task::Classification | Task::Binary)
    }

    /// The predictions of each row.
    pub fn rows(&self) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        self.predictions.chunks_exact(self.width.max(1))
    }

    /// Each row's class.
    pub fn classes(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.targets.iter().map(|class| *class as usize)
    }

    /// The predictions of one output for each row.
    pub fn column(&self, unit: usize) -> Vec<f64> {
        self.rows().map(|row| row[unit]).collect()
    }

    /// The targets of one output for each row, of a task whose targets are not classes.
    pub fn target_column(&self, unit: usize) -> Vec<f64> {
        self.targets.chunks_exact(self.width.max(1)).map(|row| row[unit]).collect()
    }

    /// Whether each row is of the class, or has the label.
    pub fn is(&self, unit: usize) -> Vec<bool> {
        if self.has_classes() {
            self.classes().map(|class| class == unit).collect()
        } else {
            self.target_column(unit).into_iter().map(|label| label > 0.5).collect()
        }
    }

    /// Whether the class, or the label, is predicted for each row. A class is where it is the
    /// first of the largest, a label where its probability is above 1/2.
    pub fn says(&self, unit: usize) -> Vec<bool> {
        if self.has_classes() {
            self.rows().map(|row| first_largest(row) == unit).collect()
        } else {
            self.rows().map(|row| row[unit] > 0.5).collect()
        }
    }

    /// The mean of a value over the outputs: classes, labels or targets.
    pub(super) fn mean_of(&self, value: impl Fn(usize) -> f64) -> f64 {
        mean((0..self.width).map(value))
    }
}

/// The index of the first of the largest values.
pub fn first_largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// The mean; NaN of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    sum / count
}
