//! What a network looks like inside at the end of an epoch: the values, gradients and last updates
//! of its tensors, and what its layers put out on one batch. A line of `observations.jsonl`.

use serde::{Deserialize, Serialize};

/// Members that are observed at most: the first ones.
pub const OBSERVED_MEMBERS: usize = 8;

/// Buckets of a [`Histogram`].
pub const BUCKETS: usize = 60;

/// One look at a network. A list over members holds the first [`OBSERVED_MEMBERS`] of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Epoch that has ended; 0 is before the first step.
    pub epoch: usize,
    /// Optimizer steps taken.
    pub step: u64,
    /// Training rows of the batch that activations and gradients are of, the same at every look.
    pub rows: usize,
    /// Its layers, the output layer last.
    pub layers: Vec<LayerObservation>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerObservation {
    /// `layers.{i}`.
    pub name: String,
    /// Its activation, such as `relu`.
    pub activation: String,
    /// Its inputs.
    pub inputs: usize,
    /// Its units.
    pub units: usize,
    /// What it puts out, on `rows` rows and without dropout or noise.
    pub outputs: Spread,
    /// The gradient of the batch's mean loss by what goes into its activation, times the rows: that
    /// of one row's loss.
    pub deltas: Spread,
    /// By member: the share of units that no row's gradient passes, as the derivative of the
    /// activation is 0 at all of them.
    pub dead: Vec<f64>,
    /// By member: the share of units that are not dead, and whose derivative is below a hundredth of
    /// the activation's largest at 19 rows of 20 or more.
    pub saturated: Vec<f64>,
    /// Its trained tensors: weight, bias, and those of its normalisation and slopes.
    pub tensors: Vec<TensorObservation>,
}

/// One tensor that is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorObservation {
    /// `layers.{i}.weight` and so on.
    pub name: String,
    /// The first member's values.
    pub values: Histogram,
    /// The first member's gradient of the batch's mean loss, without regularisation.
    pub gradient: Histogram,
    /// By member: the Euclidean norm of the values.
    pub norm: Vec<f64>,
    /// By member: the norm of the gradient.
    pub gradient_norm: Vec<f64>,
    /// By member: the norm of what the last step changed, over that of the values before it; empty
    /// before the first step. About 1e-3 is usual.
    pub update_ratio: Vec<f64>,
}

/// What a layer puts out, or its gradient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Of the first member.
    pub histogram: Histogram,
    /// By member: the mean.
    pub mean: Vec<f64>,
    /// By member: the standard deviation, of the population.
    pub deviation: Vec<f64>,
}

/// How values are distributed. All but `not_finite` is of the finite values alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Smallest value; 0 where there is none.
    pub low: f64,
    /// Largest value; 0 where there is none.
    pub high: f64,
    /// Counts of [`BUCKETS`] buckets of equal width from `low` to `high`; the last one includes
    /// `high`. Where all values are equal, one bucket.
    pub counts: Vec<u64>,
    /// Sum.
    pub sum: f64,
    /// Sum of squares.
    pub sum_squares: f64,
    /// Values that are infinite or not a number.
    pub not_finite: u64,
}

impl Histogram {
    /// Finite values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Mean; 0 where there is no value.
    pub fn mean(&self) -> f64 {
        self.sum / (self.count() as f64).max(1.0)
    }

    /// Standard deviation, of the population.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        (self.sum_squares / (self.count() as f64).max(1.0) - mean * mean).max(0.0).sqrt()
    }

    /// The value below which that share of the values lies, interpolated within its bucket.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = share.clamp(0.0, 1.0) * self.count() as f64;
        let width = (self.high - self.low) / self.counts.len().max(1) as f64;
        let mut below = 0.0;
        for (bucket, count) in self.counts.iter().enumerate() {
            let count = *count as f64;
            if count > 0.0 && below + count >= wanted {
                let within = ((wanted - below) / count).clamp(0.0, 1.0);
                return self.low + width * (bucket as f64 + within);
            }
            below += count;
        }
        self.high
    }
}
