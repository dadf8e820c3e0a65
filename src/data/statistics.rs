//! What the training rows say of a column of numbers: the same bits whether they come all at once or
//! in pieces.

use super::encoding::DAY;

/// Training rows whose moments are taken together.
const BLOCK: usize = 4096;
/// Values of a column that are kept for its quantiles: all of them up to this many rows.
const MOST_KEPT: usize = 1 << 17;
/// Values that all columns keep together, ...
const MOST_KEPT_IN_ALL: usize = 1 << 24;
/// ... though a column keeps this many whatever their number.
const LEAST_KEPT: usize = 1 << 12;

/// Count, mean and sum of squared distances from it.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Those of some values, in two passes; what is missing does not count.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let present = values.filter(|value| !value.is_nan());
        let (count, sum) =
            present.clone().fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
        if count == 0.0 {
            return Self::default();
        }
        let mean = sum / count;
        let squares = present.fold(0.0, |sum, value| sum + (value - mean) * (value - mean));
        Self { count, mean, squares }
    }

    /// Takes in those of further values (Chan, Golub, LeVeque, "Updating formulae and a pairwise
    /// algorithm for computing sample variances", 1979).
    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        let apart = other.mean - self.mean;
        self.mean += apart * (other.count / count);
        self.squares += other.squares + apart * apart * (self.count * other.count / count);
        self.count = count;
    }

    /// Standard deviation of the population.
    fn deviation(&self) -> f64 {
        if self.count > 0.0 { (self.squares / self.count).sqrt() } else { 0.0 }
    }
}

/// What is asked of a column beside what every column is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing.
    Plain,
    /// The moments of log(1 + x).
    Logarithms,
    /// Whether its dates have times of day.
    TimesOfDay,
}

/// Statistics of one column while its training rows go by, in their order and in pieces of any size.
/// Moments are taken over blocks of 4096 training rows and merged in order; quantiles are those of
/// all values up to 2^17 rows, and beyond that those of as many rows spread evenly, which their
/// number alone chooses. (Past 128 columns fewer are kept, so that all of them are 2^24 values at
/// most; never less than 4096.)
#[derive(Debug, Clone)]
pub(super) struct ColumnStatistics {
    /// Training rows in all.
    rows: usize,
    /// Rows gone by.
    seen: usize,
    /// Values of a block that is not full yet; empty while pieces end where blocks do.
    block: Vec<f64>,
    moments: Moments,
    asked: Asked,
    /// Moments of the logarithms of 1 + x, where they are asked for.
    logarithms: Moments,
    least: f64,
    most: f64,
    missing: usize,
    not_finite: Option<usize>,
    time_of_day: bool,
    kept: Vec<f64>,
    /// Rows to keep in all, present or missing.
    keeps: usize,
    /// Rows kept so far, present or missing.
    taken: usize,
}

/// What is known of a column once all its training rows have gone by.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    /// Rows.
    pub(super) rows: usize,
    /// Rows in which it is missing.
    pub(super) missing: usize,
    /// The first training row, from 0, whose value is infinite.
    pub(super) not_finite: Option<usize>,
    /// Mean of the present values.
    pub(super) mean: f64,
    /// Their standard deviation (of the population).
    pub(super) deviation: f64,
    /// Mean and standard deviation of log(1 + x); (0, 0) where they were not asked for.
    pub(super) logarithm: (f64, f64),
    /// The least value; infinite where none is present.
    pub(super) least: f64,
    /// The greatest value.
    pub(super) most: f64,
    /// Whether some value is no whole number of days, in seconds.
    pub(super) time_of_day: bool,
    /// Present values of all rows or of an even sample.
    kept: Vec<f64>,
}

impl ColumnStatistics {
    /// Those of a column, one of `columns` that are looked at together, with `rows` training rows to
    /// come.
    pub(super) fn new(rows: usize, columns: usize, asked: Asked) -> Self {
        let share = (MOST_KEPT_IN_ALL / columns.max(1)).clamp(LEAST_KEPT, MOST_KEPT);
        Self {
            rows,
            seen: 0,
            block: Vec::new(),
            moments: Moments::default(),
            asked,
            logarithms: Moments::default(),
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            missing: 0,
            not_finite: None,
            time_of_day: false,
            kept: Vec::new(),
            keeps: share.min(rows),
            taken: 0,
        }
    }

    /// Takes the next training rows' values, `NaN` where they are missing.
    pub(super) fn push(&mut self, values: &[f64]) {
        let mut rest = values;
        while !rest.is_empty() {
            let room = BLOCK - self.block.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            rest = later;
            if self.block.is_empty() && now.len() == BLOCK {
                self.take(now);
                continue;
            }
            self.block.extend_from_slice(now);
            if self.block.len() == BLOCK {
                let block = std::mem::take(&mut self.block);
                self.take(&block);
            }
        }
    }

    /// Takes a block: a whole one, or the last.
    fn take(&mut self, block: &[f64]) {
        self.moments.merge(Moments::of(block.iter().copied()));
        match self.asked {
            Asked::Plain => {}
            Asked::Logarithms => {
                // Values below 0 are refused in the end.
                let logarithm = |value: &f64| libm::log1p(if *value < 0.0 { 0.0 } else { *value });
                let values: Vec<f64> = block.iter().map(logarithm).collect();
                self.logarithms.merge(Moments::of(values.iter().copied()));
            }
            Asked::TimesOfDay => {
                self.time_of_day |= block.iter().any(|value| value.rem_euclid(DAY) > 0.0);
            }
        }
        for (at, value) in block.iter().enumerate() {
            if value.is_nan() {
                self.missing += 1;
                continue;
            }
            self.least = self.least.min(*value);
            self.most = self.most.max(*value);
            if value.is_infinite() && self.not_finite.is_none() {
                self.not_finite = Some(self.seen + at);
            }
        }
        while self.taken < self.keeps {
            let Some(value) = self.next().checked_sub(self.seen).and_then(|at| block.get(at))
            else {
                break;
            };
            if !value.is_nan() {
                self.kept.push(*value);
            }
            self.taken += 1;
        }
        self.seen += block.len();
    }

    /// The next row that is kept: `keeps` rows are, evenly spread.
    fn next(&self) -> usize {
        let row = self.taken as u128 * self.rows as u128 / (self.keeps as u128).max(1);
        // Below the number of rows.
        usize::try_from(row).unwrap_or(usize::MAX)
    }

    /// What is known once all rows have gone by.
    pub(super) fn finish(mut self) -> Summary {
        let block = std::mem::take(&mut self.block);
        self.take(&block);
        Summary {
            rows: self.seen,
            missing: self.missing,
            not_finite: self.not_finite,
            mean: self.moments.mean,
            deviation: self.moments.deviation(),
            logarithm: (self.logarithms.mean, self.logarithms.deviation()),
            least: self.least,
            most: self.most,
            time_of_day: self.time_of_day,
            kept: self.kept,
        }
    }
}

impl Summary {
    /// Whether no row has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.missing == self.rows
    }

    /// Whether all rows have the same value, so that it says nothing.
    pub(super) fn is_constant(&self) -> bool {
        self.missing == 0 && self.least == self.most
    }

    /// Quantiles at these shares, ascending, of the values kept, between two of them by a straight
    /// line (as NumPy's `percentile`).
    pub(super) fn percentiles<const N: usize>(&mut self, shares: [f64; N]) -> [f64; N] {
        shares.map(|share| percentile_of(&mut self.kept, share))
    }

    /// Whether the values kept are whole numbers.
    pub(super) fn are_whole(&self) -> bool {
        self.kept.iter().all(|value| value.fract() == 0.0)
    }

    /// The values kept, ascending and as f32 has them.
    pub(super) fn sorted_singles(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.kept.iter().map(|value| f64::from(*value as f32)).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    }
}

/// As [`super::encoding::percentile`] of numbers that are not sorted, which it reorders.
fn percentile_of(values: &mut [f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    // A whole number from 0 to `last`.
    let below = (place.floor() as usize).min(last);
    let (_, left, after) = values.select_nth_unstable_by(below, f64::total_cmp);
    let left = *left;
    let right = after.iter().copied().min_by(f64::total_cmp).unwrap_or(left);
    left + (right - left) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::encoding::percentile_of_sorted as percentile;

    /// Numbers around 1000, each thirteenth missing.
    fn numbers(count: usize) -> Vec<f64> {
        let number = |i: usize| match i % 13 {
            7 => f64::NAN,
            _ => 1000.0 + ((i * 7919) % 100_003) as f64 / 777.0,
        };
        (0..count).map(number).collect()
    }

    fn summary(pieces: &[&[f64]], columns: usize) -> Summary {
        let rows = pieces.iter().map(|piece| piece.len()).sum();
        let mut statistics = ColumnStatistics::new(rows, columns, Asked::Logarithms);
        pieces.iter().for_each(|piece| statistics.push(piece));
        statistics.finish()
    }

    fn bits(summary: &mut Summary) -> (Vec<u64>, Vec<u64>) {
        let [low, middle, high] = summary.percentiles([0.25, 0.5, 0.75]);
        let Summary { mean, deviation, logarithm, least, most, .. } = *summary;
        let all = [mean, deviation, logarithm.0, logarithm.1, least, most, low, middle, high];
        let kept = summary.sorted_singles();
        (all.map(f64::to_bits).to_vec(), kept.iter().map(|value| value.to_bits()).collect())
    }

    #[test]
    fn pieces_of_any_size_give_the_same_bits() {
        for rows in [1, 4095, 4096, 4097, 20_000, 140_000] {
            let values = numbers(rows);
            for columns in [1, 1000] {
                let mut whole = summary(&[&values], columns);
                let expected = bits(&mut whole);
                for size in [1, 1000, 4096, 8192, 9999] {
                    let pieces: Vec<&[f64]> = values.chunks(size).collect();
                    let mut pieced = summary(&pieces, columns);
                    assert_eq!(bits(&mut pieced), expected, "{rows} rows by {size}");
                    assert_eq!((pieced.rows, pieced.missing), (whole.rows, whole.missing));
                }
            }
        }
    }

    #[test]
    fn statistics_are_those_of_the_present_values() {
        let values = numbers(140_000);
        let mut found = summary(&[&values], 1);
        let mut present: Vec<f64> =
            values.iter().copied().filter(|value| !value.is_nan()).collect();
        let count = present.len() as f64;
        let mean = present.iter().sum::<f64>() / count;
        let variance = present.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        assert!((found.mean - mean).abs() < 1e-10 * mean);
        assert!((found.deviation - variance.sqrt()).abs() < 1e-10 * variance.sqrt());
        assert_eq!(found.missing + present.len(), 140_000);
        // Even sample: 2^17 of 140,000 rows.
        present.sort_unstable_by(f64::total_cmp);
        let [median] = found.percentiles([0.5]);
        assert!((median - percentile(&present, 0.5)).abs() < 0.1, "{median}");
        assert_eq!(found.kept.len(), 120_989);
        assert_eq!(summary(&[&values], 1 << 20).kept.len(), 3_782);
        let few = summary(&[&[3.0, f64::NAN, 1.0, 2.0]], 1);
        assert_eq!(few.sorted_singles(), [1.0, 2.0, 3.0]);
        assert!(summary(&[&[f64::NAN]], 1).is_empty());
        assert!(summary(&[&[2.0, 2.0]], 1).is_constant());
        assert!(!summary(&[&[2.0, f64::NAN]], 1).is_constant());
        assert_eq!(summary(&[&[2.0, f64::INFINITY]], 1).not_finite, Some(1));
    }
}
