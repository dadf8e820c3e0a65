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

/// Bins of [`expected_calibration_error`].
const BINS: usize = 15;

/// Expected calibration error: of 15 bins of equal width, ((m - 1) / 15, m / 15], that each row
/// goes to by the probability of its predicted class, the sum of (rows in the bin / rows)
/// |share of them that is right - their mean probability|.
///
/// Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3, with the
/// paper's 15 bins. (scikit-learn has none.)
pub(super) fn expected_calibration_error(outputs: &Outputs) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (row, class) in outputs.rows().zip(outputs.classes()) {
        let predicted = first_largest(row);
        let confidence = row[predicted];
        let bin = (1..BINS).find(|m| confidence <= *m as f64 / BINS as f64).unwrap_or(BINS) - 1;
        bins[bin].0 += confidence;
        bins[bin].1 += f64::from(u8::from(predicted == class));
    }
    // rows_m / rows |right_m / rows_m - confidence_m / rows_m|
    bins.iter().map(|(confidence, right)| (right - confidence).abs()).sum::<f64>()
        / outputs.rows as f64
}
