//! Regression: what is predicted against what is so.

use serde::{Deserialize, Serialize};

use super::{finite, mean_and_deviation};
use crate::model::RowOutputs;

/// Targets that are looked at: the first ones.
const TARGETS: usize = 6;

/// Rows of each target that are kept: evenly spaced ones.
const KEPT: usize = 1500;

/// Columns of a histogram, at least and at most.
const COLUMNS: (usize, usize) = (8, 40);

/// How far off the predictions of one target are. Of several members, those of their mean prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetErrors {
    /// The target's name.
    pub target: String,
    /// Some of the rows.
    pub rows: Vec<Truth>,
    /// Mean of prediction - truth: above 0 where too much is predicted.
    pub bias: Option<f64>,
    /// Deviation of prediction - truth, of the population.
    pub deviation: Option<f64>,
    /// The residuals below which 5, 25, 50, 75 and 95 of 100 lie, at the nearest row.
    pub quantiles: [f64; 5],
    /// Smallest and largest residual.
    pub extent: [f64; 2],
    /// Residuals in columns of equal width over that extent.
    pub histogram: Vec<u64>,
    /// With several members: the root of the mean, over the rows, of the variance of their predictions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disagreement: Option<f64>,
}

/// A row, in the target's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// What is so.
    pub truth: f64,
    /// What is predicted.
    pub predicted: f64,
}

pub(super) fn errors(outputs: &RowOutputs, names: &[String]) -> Vec<TargetErrors> {
    if outputs.members.is_empty() || outputs.rows == 0 {
        return Vec::new();
    }
    (0..outputs.width.min(TARGETS)).map(|at| of_target(outputs, at, &names[at])).collect()
}

fn of_target(outputs: &RowOutputs, target: usize, name: &str) -> TargetErrors {
    let mut variance = 0.0;
    let pairs: Vec<Truth> = (0..outputs.rows)
        .map(|row| {
            let at = row * outputs.width + target;
            let said: Vec<f64> =
                outputs.members.iter().map(|member| member.predictions[at]).collect();
            let (predicted, deviation) = mean_and_deviation(&said);
            variance += deviation * deviation;
            Truth { truth: outputs.targets[at], predicted }
        })
        .collect();
    let mut residuals: Vec<f64> = pairs.iter().map(|pair| pair.predicted - pair.truth).collect();
    let (bias, deviation) = mean_and_deviation(&residuals);
    residuals.sort_unstable_by(f64::total_cmp);
    let last = residuals.len() - 1;
    let [low, high] = [residuals[0], residuals[last]];
    // As many columns as the root of twice the rows: few rows make no ragged comb.
    let columns = ((2 * residuals.len()).isqrt()).clamp(COLUMNS.0, COLUMNS.1);
    let mut histogram = vec![0; if high > low { columns } else { 1 }];
    for residual in &residuals {
        let share = (residual - low) / (high - low);
        // All equal: the one column there is.
        let column = if share.is_nan() { 0.0 } else { share * columns as f64 };
        let last = histogram.len() - 1;
        histogram[(column as usize).min(last)] += 1;
    }
    let kept = pairs.len().min(KEPT);
    TargetErrors {
        target: name.to_owned(),
        rows: (0..kept).map(|at| pairs[at * pairs.len() / kept]).collect(),
        bias: finite(bias),
        deviation: finite(deviation),
        quantiles: [0.05, 0.25, 0.5, 0.75, 0.95]
            .map(|share| residuals[(share * last as f64).round() as usize]),
        extent: [low, high],
        histogram,
        disagreement: (outputs.members.len() > 1)
            .then(|| finite((variance / outputs.rows as f64).sqrt()))
            .flatten(),
    }
}
