//! Metrics of the probabilities themselves.
//!
//! Source: `sklearn.metrics.brier_score_loss` and `log_loss`, unless the metric names its own.

use super::outputs::{Outputs, first_largest, mean};
use crate::config::data::Task;

/// The Brier score. Classes: the mean over the rows of sum_k (p_k - y_k)^2, halved for two classes
/// (the mean of (p_1 - y)^2), as in scikit-learn. Labels: the mean over the labels of the mean of
/// (p - y)^2.
pub(super) fn brier(outputs: &Outputs) -> f64 {
    let square = |x: f64| x * x;
    if outputs.task == Task::Multilabel {
        let pairs = outputs.predictions.iter().zip(outputs.targets);
        return mean(pairs.map(|(p, y)| square(p - y)));
    }
    let sums = outputs.rows().zip(outputs.classes()).map(|(row, class)| {
        row.iter()
            .enumerate()
            .map(|(k, p)| square(p - f64::from(u8::from(k == class))))
            .sum::<f64>()
    });
    mean(sums) * if outputs.width < 3 { 0.5 } else { 1.0 }
}

/// Mean over the labels of the log loss of each, -mean(y log p + (1 - y) log(1 - p)), of
/// probabilities kept within [eps, 1 - eps] of f64, as scikit-learn's `log_loss` does.
pub(super) fn multilabel_log_loss(outputs: &Outputs) -> f64 {
    let pairs = outputs.predictions.iter().zip(outputs.targets);
    mean(pairs.map(|(p, y)| {
        let kept = |p: f64| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        -(if *y > 0.5 { kept(*p) } else { kept(1.0 - p) }).ln()
    }))
}

/// Bins of probability: Guo et al. have 15.
pub const BINS: usize = 15;

/// The rows of a bin of probability.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Rows.
    pub rows: u64,
    /// Sum of their probabilities.
    pub confidence: f64,
    /// How many of them are as predicted.
    pub right: f64,
}

/// Puts probabilities, each with whether it came true, into 15 bins of equal width, ((m - 1) / 15,
/// m / 15].
pub fn reliability(pairs: impl Iterator<Item = (f64, bool)>) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for (confidence, right) in pairs {
        let bin = (1..BINS).find(|m| confidence <= *m as f64 / BINS as f64).unwrap_or(BINS) - 1;
        bins[bin].rows += 1;
        bins[bin].confidence += confidence;
        bins[bin].right += f64::from(u8::from(right));
    }
    bins
}

/// The sum over the bins of (rows in the bin / rows) |share of them that came true - their mean
/// probability|.
pub fn calibration_error(bins: &[Bin]) -> f64 {
    // rows_m / rows |right_m / rows_m - confidence_m / rows_m|
    bins.iter().map(|bin| (bin.right - bin.confidence).abs()).sum::<f64>()
        / bins.iter().map(|bin| bin.rows).sum::<u64>() as f64
}

/// The probability of each row's predicted class, and whether the row is of it.
pub fn predicted_classes(outputs: &Outputs) -> impl Iterator<Item = (f64, bool)> {
    outputs.rows().zip(outputs.classes()).map(|(row, class)| {
        let predicted = first_largest(row);
        (row[predicted], predicted == class)
    })
}

/// Expected calibration error: [`calibration_error`] of [`predicted_classes`].
///
/// Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3, with the
/// paper's 15 bins. (scikit-learn has none.)
pub(super) fn expected_calibration_error(outputs: &Outputs) -> f64 {
    calibration_error(&reliability(predicted_classes(outputs)))
}
