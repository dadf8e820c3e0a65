//! Metrics of predicted numbers, in the user's units. Of several targets, the mean over them.
//!
//! Source: `sklearn.metrics.mean_absolute_percentage_error`, `max_error`,
//! `explained_variance_score` and `median_absolute_error`.

use super::outputs::{Outputs, mean};

/// Each row's prediction and target of one output.
fn pairs(outputs: &Outputs, unit: usize) -> Vec<(f64, f64)> {
    outputs.column(unit).into_iter().zip(outputs.target_column(unit)).collect()
}

/// Mean absolute percentage error: the mean of |prediction - target| / max(|target|, eps), eps
/// that of f64. A share, as in scikit-learn: 1 is 100 %.
pub(super) fn mape(outputs: &Outputs) -> f64 {
    outputs.mean_of(|unit| {
        let errors = pairs(outputs, unit).into_iter().map(|(prediction, target)| {
            (prediction - target).abs() / target.abs().max(f64::EPSILON)
        });
        mean(errors)
    })
}

/// The largest |prediction - target|, of all targets (scikit-learn takes one alone).
pub(super) fn max_error(outputs: &Outputs) -> f64 {
    let pairs = outputs.predictions.iter().zip(outputs.targets);
    pairs.map(|(prediction, target)| (prediction - target).abs()).fold(0.0, f64::max)
}

/// Variance of the population; exactly 0 of equal values.
fn variance(values: &[f64]) -> f64 {
    let first = values.first().copied().unwrap_or(f64::NAN);
    let about = mean(values.iter().map(|x| x - first));
    mean(values.iter().map(|x| (x - first - about) * (x - first - about)))
}

/// 1 - variance of the errors / variance of the targets; of a constant target 1 where the errors
/// are constant too, else 0, as in scikit-learn.
pub(super) fn explained_variance(outputs: &Outputs) -> f64 {
    outputs.mean_of(|unit| {
        let targets = outputs.target_column(unit);
        let errors: Vec<f64> = pairs(outputs, unit)
            .into_iter()
            .map(|(prediction, target)| target - prediction)
            .collect();
        match (variance(&errors), variance(&targets)) {
            (0.0, 0.0) => 1.0,
            (_, 0.0) => 0.0,
            (of_errors, of_targets) => 1.0 - of_errors / of_targets,
        }
    })
}

/// The median of |prediction - target|; of an even number of rows the mean of the middle two.
pub(super) fn median_absolute_error(outputs: &Outputs) -> f64 {
    outputs.mean_of(|unit| {
        let mut errors: Vec<f64> =
            pairs(outputs, unit).into_iter().map(|(p, target)| (p - target).abs()).collect();
        errors.sort_unstable_by(f64::total_cmp);
        let middle = errors.len() / 2;
        if errors.len().is_multiple_of(2) {
            (errors[middle - 1] + errors[middle]) / 2.0
        } else {
            errors[middle]
        }
    })
}
