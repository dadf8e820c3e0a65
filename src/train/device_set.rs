//! A data set with the share of it that a device holds at once.

use std::sync::Arc;

use super::order::Shuffle;
use crate::backend::Capacity;
use crate::catalog::optimizer::Convention;
use crate::data::{Rows, Spill};
use crate::error::{Error, Result};
use crate::program::Precision;

/// Bytes of the features of a window of a set that is not held whole.
const WINDOW_BYTES: u64 = 64 << 20;

/// A data set with the share of it that the device holds at once.
#[derive(Debug, Clone)]
pub struct DeviceSet {
    /// Its name: `train`, `validation`, `test`.
    pub name: String,
    /// Encoded rows.
    pub features: Features,
    /// Targets, and behind those of each row its weight where rows have weights.
    pub targets: Arc<[f32]>,
    /// What each row adds to the divisor of a mean loss; empty where each adds 1.
    pub divisors: Vec<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns of `features`.
    pub inputs: usize,
    /// Targets of a row.
    pub target_width: usize,
    /// Elements between rows of `targets`.
    pub target_stride: usize,
    /// Rows held at once; all of them when it is `rows`.
    pub resident_rows: usize,
    /// Variance (of the population) of each target column.
    pub target_variance: Vec<f64>,
}

/// The encoded inputs of a set's rows.
#[derive(Debug, Clone)]
pub enum Features {
    /// In memory, shared with a backend that reads host memory.
    Memory(Arc<[f32]>),
    /// In a file.
    File(Arc<Spill>),
}

impl Features {
    /// Copies rows from `first` on, as many as `into` holds; `width` are the inputs of a row.
    ///
    /// # Errors
    /// When they are in a file that cannot be read.
    pub fn copy(&self, first: usize, width: usize, into: &mut [f32]) -> Result<()> {
        match self {
            Self::Memory(values) => {
                let start = first * width;
                into.copy_from_slice(&values[start..start + into.len()]);
                Ok(())
            }
            Self::File(spill) => spill.read(first, into),
        }
    }
}

/// What a set is to fit.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    /// The device.
    pub capacity: Capacity,
    /// How it holds numbers.
    pub precision: Precision,
    /// Rows of the largest batch of any pass, of all members where they train on rows of their own.
    pub largest_batch: usize,
    /// How the rows are shuffled in training.
    pub shuffle: Shuffle,
}

/// The variance of some numbers.
fn variance(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    values.map(|y| (y - mean) * (y - mean)).sum::<f64>() / count
}

impl DeviceSet {
    /// Takes the rows, and decides how many of them a device holds at once: all, or a window of whole
    /// batches. Rows in a file that are no more than a window are read into memory.
    ///
    /// # Errors
    /// When rows cannot be read from their file, or a window of them is past the device.
    pub fn new(
        name: &str,
        rows: WeightedRows,
        inputs: usize,
        target_width: usize,
        fit: Fit,
    ) -> Result<Self> {
        let WeightedRows { rows, weights, divisors } = rows;
        let count = rows.rows;
        let window = Window::of(&fit, inputs, &rows);
        let Rows { features, spill, mut targets, .. } = rows;
        let features = match spill {
            None => Features::Memory(features.into()),
            Some(spill) if window.rows == count => {
                let mut features: Arc<[f32]> = std::iter::repeat_n(0.0, count * inputs).collect();
                if let Some(features) = Arc::get_mut(&mut features) {
                    spill.read(0, features)?;
                }
                Features::Memory(features)
            }
            Some(_) if window.bytes > fit.capacity.buffer_bytes => {
                let problem = format!(
                    "a window of {} rows takes {} bytes, and the device holds {} in one buffer",
                    window.rows, window.bytes, fit.capacity.buffer_bytes
                );
                return Err(Error::config("data.chunk_rows", problem).with_help(
                    "give fewer rows here (a window is 16 times as many), or a smaller \
                     training.batch_size",
                ));
            }
            Some(spill) => Features::File(spill),
        };
        let weighted = !weights.is_empty();
        if weighted {
            let mut with_weights = Vec::with_capacity(targets.len() + weights.len());
            for (row, weight) in targets.chunks_exact(target_width).zip(&weights) {
                with_weights.extend_from_slice(row);
                with_weights.push(*weight);
            }
            targets = with_weights;
        }
        let target_stride = target_width + usize::from(weighted);
        let column = |at: usize| targets.iter().skip(at).step_by(target_stride);
        let target_variance =
            (0..target_width).map(|at| variance(column(at).map(|y| f64::from(*y)))).collect();
        Ok(Self {
            name: name.to_owned(),
            features,
            targets: targets.into(),
            divisors,
            rows: count,
            inputs,
            target_width,
            target_stride,
            resident_rows: window.rows,
            target_variance,
        })
    }

    /// The set as a device holds it that has no room for all of it: in windows. None where it is in
    /// windows already, or is no more than one.
    pub(super) fn in_windows(&self, fit: &Fit) -> Option<Self> {
        let row_bytes = (self.inputs * fit.precision.bytes()).max(1) as u64;
        let resident_rows = Window::rows_of_part(fit, row_bytes, false);
        (self.is_resident() && resident_rows < self.rows)
            .then(|| Self { resident_rows, ..self.clone() })
    }

    /// The variance (of the population) of each target column over some of the rows.
    pub fn variances_of(&self, rows: &[u32]) -> Vec<f64> {
        let target =
            |row: &u32, at| f64::from(self.targets[*row as usize * self.target_stride + at]);
        (0..self.target_width).map(|at| variance(rows.iter().map(|row| target(row, at)))).collect()
    }

    /// Whether the device holds every row.
    pub fn is_resident(&self) -> bool {
        self.resident_rows == self.rows
    }

    /// Rows of a window that the set is trained in, of which every member takes the same: none where
    /// the device holds all of them, or not as many.
    pub fn window(&self, shuffle: Shuffle) -> Option<usize> {
        let rows = match shuffle {
            Shuffle::Never => self.resident_rows,
            Shuffle::All | Shuffle::Windows { .. } => shuffle.window()?,
        };
        (!self.is_resident() && rows <= self.resident_rows).then_some(rows)
    }
}

/// How many rows a device holds at once.
struct Window {
    rows: usize,
    bytes: u64,
}

impl Window {
    fn of(fit: &Fit, inputs: usize, set: &Rows) -> Self {
        let (count, in_file) = (set.rows, set.spill.is_some());
        let row_bytes = (inputs * fit.precision.bytes()).max(1) as u64;
        let whole = Self { rows: count, bytes: count as u64 * row_bytes };
        let limit = fit.capacity.buffer_bytes;
        if !in_file && whole.bytes <= limit {
            return whole;
        }
        let rows = Self::rows_of_part(fit, row_bytes, in_file);
        if in_file && count <= rows {
            return whole;
        }
        Self { rows, bytes: rows as u64 * row_bytes }
    }

    /// Rows of a window that is not the whole set.
    fn rows_of_part(fit: &Fit, row_bytes: u64, in_file: bool) -> usize {
        let (limit, largest) = (fit.capacity.buffer_bytes, fit.largest_batch.max(1));
        match fit.shuffle.window() {
            // Rows in a file are shuffled in these windows or not at all.
            Some(rows) if in_file || rows as u64 * row_bytes <= limit => rows.max(largest),
            _ => ((WINDOW_BYTES.min(limit) / row_bytes) as usize / largest).max(1) * largest,
        }
    }
}

/// Rows with what they count.
#[derive(Debug, Clone, Default)]
pub struct WeightedRows {
    /// The rows.
    pub rows: Rows,
    /// What each row's loss is multiplied by; empty where all count 1.
    pub weights: Vec<f32>,
    /// What each row adds to the divisor of the mean; empty where each adds 1.
    pub divisors: Vec<f32>,
}

impl WeightedRows {
    /// Rows that count by their own weights alone.
    pub fn evaluated(rows: Rows) -> Self {
        Self { weights: rows.sample_weights.clone(), divisors: Vec::new(), rows }
    }

    /// Rows that count by their own weights and those of their classes. PyTorch divides by the
    /// sum of the classes' weights, Keras by the number of rows.
    pub fn trained(rows: Rows, class_weights: &[f64], convention: Convention) -> Self {
        let weights = rows.training_weights(class_weights);
        let by_classes = convention == Convention::Torch && !class_weights.is_empty();
        if !by_classes {
            return Self { rows, weights, divisors: Vec::new() };
        }
        let mut rows = rows;
        let own = std::mem::take(&mut rows.sample_weights);
        let divisors = rows.training_weights(class_weights);
        rows.sample_weights = own;
        Self { rows, weights, divisors }
    }
}

impl From<Rows> for WeightedRows {
    fn from(rows: Rows) -> Self {
        Self::evaluated(rows)
    }
}
