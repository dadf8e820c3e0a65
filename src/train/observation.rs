//! What a network looks like inside at the end of an epoch: the values, gradients and last updates
//! of its tensors, and what its layers put out on one batch. A line of `observations.jsonl`.

use serde::{Deserialize, Deserializer, Serialize};

/// Members that are observed at most: the first ones.
pub const OBSERVED_MEMBERS: usize = 8;

/// Buckets of a [`Histogram`].
pub const BUCKETS: usize = 60;

/// JSON has no NaN: a member whose number is none stands there as null.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

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
    /// What its weights were drawn by, such as `he_uniform`.
    pub initializer: String,
    /// Its inputs.
    pub inputs: usize,
    /// Its units.
    pub units: usize,
    /// What it puts out, on `rows` rows and without dropout or noise.
    pub outputs: Spread,
    /// By member: the standard deviation of a unit's output over the rows, the root of the mean over
    /// the units of its square: what is left of the differences between rows.
    #[serde(deserialize_with = "null_is_nan")]
    pub signal: Vec<f64>,
    /// The gradient of each row's loss by what the layer's matrix product gives.
    pub deltas: Spread,
    /// By member: the share of units at which the derivative of the activation is 0 in every row, so
    /// that none of them moves the unit.
    #[serde(deserialize_with = "null_is_nan")]
    pub dead: Vec<f64>,
    /// By member: the share of outputs, of units that are not dead, at a bound of the activation where
    /// it has bounds: its derivative is below a hundredth of its largest there.
    #[serde(deserialize_with = "null_is_nan")]
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
    #[serde(deserialize_with = "null_is_nan")]
    pub norm: Vec<f64>,
    /// By member: the norm of the gradient.
    #[serde(deserialize_with = "null_is_nan")]
    pub gradient_norm: Vec<f64>,
    /// By member: the norm of what the last step changed, over that of the values before it; empty
    /// before the first step. About 1e-3 is usual.
    #[serde(deserialize_with = "null_is_nan")]
    pub update_ratio: Vec<f64>,
}

/// What a layer puts out, or its gradient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Of the first member.
    pub histogram: Histogram,
    /// By member: the mean.
    #[serde(deserialize_with = "null_is_nan")]
    pub mean: Vec<f64>,
    /// By member: the standard deviation, of the population.
    #[serde(deserialize_with = "null_is_nan")]
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

/// Moments and extremes of finite values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    low: f64,
    high: f64,
    count: u64,
    sum: f64,
    sum_squares: f64,
}

/// Values that are summed side by side, so that sums are vectors.
const LANES: usize = 8;

impl Moments {
    /// Of the finite ones of those values.
    pub fn of(values: &[f64]) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let (mut sum, mut sum_squares, mut count) = ([0.0; LANES], [0.0; LANES], [0_u32; LANES]);
        for chunk in values.chunks(LANES) {
            for (lane, value) in chunk.iter().enumerate() {
                let is_finite = value.abs() < f64::INFINITY;
                let counted = if is_finite { *value } else { 0.0 };
                low[lane] = if is_finite && *value < low[lane] { *value } else { low[lane] };
                high[lane] = if is_finite && *value > high[lane] { *value } else { high[lane] };
                sum[lane] += counted;
                sum_squares[lane] += counted * counted;
                count[lane] += u32::from(is_finite);
            }
        }
        Self {
            low: low.into_iter().fold(f64::INFINITY, f64::min),
            high: high.into_iter().fold(f64::NEG_INFINITY, f64::max),
            count: count.into_iter().map(u64::from).sum(),
            sum: sum.iter().sum(),
            sum_squares: sum_squares.iter().sum(),
        }
    }

    /// Mean and standard deviation, of the population; 0 where there is no value.
    pub fn mean_and_deviation(&self) -> (f64, f64) {
        let count = (self.count as f64).max(1.0);
        let mean = self.sum / count;
        (mean, (self.sum_squares / count - mean * mean).max(0.0).sqrt())
    }

    /// Euclidean norm.
    pub fn norm(&self) -> f64 {
        self.sum_squares.sqrt()
    }
}

impl Histogram {
    /// Of those values.
    pub fn of(values: &[f64]) -> Self {
        let Moments { low, high, count, sum, sum_squares } = Moments::of(values);
        let not_finite = values.len() as u64 - count;
        if count == 0 {
            return Self { not_finite, ..Self::default() };
        }
        let mut counts = vec![count];
        if low < high {
            // Halved, lest the width of a wide range overflows.
            let scale = BUCKETS as f64 / (high / 2.0 - low / 2.0);
            // Neighbours count apart: equal ones, such as zeros, would wait for each other.
            let mut buckets = [[0_u64; BUCKETS]; 4];
            let finite = values.iter().filter(|value| value.is_finite());
            for (at, value) in finite.enumerate() {
                let bucket = ((value / 2.0 - low / 2.0) * scale) as usize;
                buckets[at % 4][bucket.min(BUCKETS - 1)] += 1;
            }
            counts = (0..BUCKETS).map(|i| buckets.iter().map(|part| part[i]).sum()).collect();
        }
        Self { low, high, counts, sum, sum_squares, not_finite }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_every_finite_value_once() {
        let values = [-1.0, 0.0, 0.5, 3.0, f64::NAN, f64::INFINITY];
        let histogram = Histogram::of(&values);
        assert_eq!((histogram.low, histogram.high, histogram.not_finite), (-1.0, 3.0, 2));
        let filled: Vec<usize> = (0..BUCKETS).filter(|i| histogram.counts[*i] > 0).collect();
        assert_eq!(filled, [0, 15, 22, 59]);
        assert_eq!((histogram.count(), histogram.mean()), (4, 0.625));
        let variance = (1.0 + 0.25 + 9.0) / 4.0 - 0.625 * 0.625;
        assert!((histogram.deviation() - f64::sqrt(variance)).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_spread_has_one_bucket_or_none() {
        let equal = Histogram::of(&[2.0; 3]);
        assert_eq!((equal.low, equal.high, equal.counts.clone()), (2.0, 2.0, vec![3]));
        assert_eq!((equal.quantile(0.5), equal.deviation()), (2.0, 0.0));
        let none = Histogram::of(&[f64::NAN]);
        assert_eq!((none.count(), none.not_finite, none.mean()), (0, 1, 0.0));
        let widest = Histogram::of(&[f64::MIN, f64::MAX]);
        assert_eq!((widest.counts[0], widest.counts[BUCKETS - 1]), (1, 1));
    }

    #[test]
    fn quantiles_are_interpolated() {
        let even: Vec<f64> = (0..=6000).map(|i| f64::from(i) / 6000.0).collect();
        let even = Histogram::of(&even);
        for share in [0.0, 0.07, 0.5, 0.93, 1.0] {
            assert!((even.quantile(share) - share).abs() < 1e-3, "{share}");
        }
    }
}
