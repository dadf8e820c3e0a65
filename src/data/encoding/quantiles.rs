//! Scaling to a normal distribution by quantiles, as scikit-learn's
//! `QuantileTransformer(output_distribution="normal", subsample=None)`.

use serde::{Deserialize, Serialize};

/// The most quantiles of a column.
pub(crate) const MOST_QUANTILES: usize = 1_000;

/// Probabilities are kept this far from 0 and 1, so that no value becomes infinite: scikit-learn's
/// `BOUNDS_THRESHOLD`, less one unit in the last place of 1.
pub(crate) const LEAST_PROBABILITY: f64 = 1e-7 - f64::EPSILON;

/// The quantiles of a column's numbers at evenly spaced probabilities from 0 to 1.
///
/// Numbers are rounded to f32 on their way in, at fitting as later: whether one equals a quantile,
/// as many do in a column of few different numbers, must not hang on the precision in which it was
/// read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Ascending, two or more.
    pub quantiles: Vec<f64>,
}

impl Quantiles {
    /// Those of sorted numbers, rounded to f32: as many as there are numbers, at most 1000.
    pub(in crate::data) fn of_sorted(sorted: &[f64]) -> Self {
        let count = sorted.len().clamp(2, MOST_QUANTILES);
        let mut quantiles: Vec<f64> =
            (0..count).map(|at| percentile(sorted, at as f64 / (count - 1) as f64)).collect();
        // Rounding may have put one below its neighbour.
        for at in 1..quantiles.len() {
            quantiles[at] = quantiles[at].max(quantiles[at - 1]);
        }
        Self { quantiles }
    }

    /// The number's quantile of the standard normal distribution, in about [-5.2, 5.2].
    pub(super) fn apply(&self, value: f64) -> f32 {
        normal_quantile(self.probability(f64::from(value as f32))) as f32
    }

    /// The share of the training rows below a number, between two quantiles by a straight line, and
    /// halfway where it equals several.
    fn probability(&self, value: f64) -> f64 {
        let all = &self.quantiles;
        let last = all.len().saturating_sub(1);
        let (Some(least), Some(most)) = (all.first(), all.last()) else { return f64::NAN };
        if value.is_nan() {
            return f64::NAN;
        }
        if value <= *least {
            return 0.0;
        }
        if value >= *most {
            return 1.0;
        }
        // 1 or more, as the number is above the least.
        let below = all.partition_point(|quantile| *quantile < value);
        let place = if all[below] == value {
            let up_to = all.partition_point(|quantile| *quantile <= value);
            0.5 * (below + up_to - 1) as f64
        } else {
            let (left, right) = (all[below - 1], all[below]);
            (below - 1) as f64 + (value - left) / (right - left)
        };
        place / last as f64
    }

    /// A number of that quantile.
    pub(super) fn invert(&self, normal: f64) -> f64 {
        percentile(&self.quantiles, 0.5 * libm::erfc(-normal * std::f64::consts::FRAC_1_SQRT_2))
    }

    /// Whether there are two different ones.
    pub(in crate::data) fn varies(&self) -> bool {
        self.quantiles.first() < self.quantiles.last()
    }

    pub(super) fn is_sound(&self) -> bool {
        (2..=MOST_QUANTILES).contains(&self.quantiles.len())
            && self.quantiles.iter().all(|quantile| quantile.is_finite())
            && self.quantiles.is_sorted()
            && self.varies()
    }
}

/// The number below which a share of sorted numbers lies, between two of them by a straight line (as
/// NumPy's `percentile`); 0 where there are none.
pub(in crate::data) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    // A whole number from 0 to `last`.
    let below = (place.floor() as usize).min(last);
    let (left, right) = (sorted[below], sorted[(below + 1).min(last)]);
    left + (right - left) * (place - below as f64)
}

/// The coefficients of [`normal_quantile`], from the constant term on: numerator and denominator near
/// the middle, ...
pub(crate) const MIDDLE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
];

/// ... and in the tails.
pub(crate) const TAIL: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];

/// Half the width of the middle, the square of it, and what the tails' argument is counted from.
pub(crate) const MIDDLE_HALF: f64 = 0.425;
pub(crate) const MIDDLE_SQUARE: f64 = 0.180_625;
pub(crate) const TAIL_START: f64 = 1.6;

/// The quantile of the standard normal distribution, for probabilities from [`LEAST_PROBABILITY`] to
/// 1 less it, to which others are brought: AS 241's PPND16 (Wichura, "The percentage points of the
/// normal distribution", 1988), relative error about 1e-16.
fn normal_quantile(probability: f64) -> f64 {
    let p = probability.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
    let ratio = |[above, below]: &[[f64; 8]; 2], r: f64| {
        let horner = |terms: &[f64; 8]| terms.iter().rev().fold(0.0, |sum, term| sum * r + term);
        horner(above) / horner(below)
    };
    let q = p - 0.5;
    if q.abs() <= MIDDLE_HALF {
        return q * ratio(&MIDDLE, MIDDLE_SQUARE - q * q);
    }
    // At most 4.1 here, and the tails' polynomials go to 5.
    let r = (-libm::log(p.min(1.0 - p))).sqrt();
    ratio(&TAIL, r - TAIL_START).copysign(q)
}

#[cfg(test)]
mod tests {
    use super::{LEAST_PROBABILITY, normal_quantile};

    #[test]
    fn normal_quantiles_are_scipys() {
        // scipy.stats.norm.ppf
        for (p, expected) in [
            (0.5, 0.0),
            (0.6, 0.253_347_103_135_799_8),
            (0.025, -1.959_963_984_540_054),
            (0.925, 1.439_531_470_938_456),
            (1e-6, -4.753_424_308_822_899),
            (0.0, -5.199_337_582_605_575),
            (1.0, 5.199_337_582_703_42),
        ] {
            let found = normal_quantile(p);
            assert!((found - expected).abs() <= 1e-14 * expected.abs(), "{p}: {found} {expected}");
        }
        const { assert!(LEAST_PROBABILITY < 1e-7) };
    }
}
