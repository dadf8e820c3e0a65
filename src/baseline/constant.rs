//! The outputs that are the same for every row and minimise the loss on the training rows.

use super::job::{Job, targets};
use crate::config::data::Task;

/// Rows that a minimum is looked for on at most.
const ROWS: usize = 10_000;

/// Steps of the golden section: 0.618^60 is below 1e-12.
const STEPS: usize = 60;

/// The network's outputs: logarithms of class frequencies, log odds of labels, or for each target the
/// number with the smallest mean loss.
pub(super) fn outputs(job: &Job) -> Vec<f64> {
    match job.task.task {
        Task::Classification => shares(job, job.outputs).into_iter().map(f64::ln).collect(),
        Task::Binary => {
            let share = shares(job, 2)[1];
            vec![(share / (1.0 - share)).ln()]
        }
        Task::Multilabel => {
            let shares = (0..job.outputs).map(|label| bounded(job, mean(job, label)));
            shares.map(|share| (share / (1.0 - share)).ln()).collect()
        }
        Task::Regression => numbers(job),
    }
}

/// The weighted mean of a target over the training rows.
pub(super) fn mean(job: &Job, target: usize) -> f64 {
    let total: f64 = job.weights.iter().sum();
    let weighted = job.weights.iter().enumerate();
    let sum: f64 = weighted.map(|(row, w)| w * f64::from(targets(&job.train, row)[target])).sum();
    sum / total
}

/// A share that is neither 0 nor 1: a class that no row has gets half a row.
fn bounded(job: &Job, share: f64) -> f64 {
    let least = 0.5 / (job.train.rows as f64 + 1.0);
    share.clamp(least, 1.0 - least)
}

/// The share of each class in the training rows.
fn shares(job: &Job, classes: usize) -> Vec<f64> {
    let mut sums = vec![0.0; classes];
    for (row, weight) in job.weights.iter().enumerate() {
        match targets(&job.train, row) {
            [class] => {
                if let Some(sum) = sums.get_mut(*class as usize) {
                    *sum += weight;
                }
            }
            shares => {
                sums.iter_mut().zip(shares).for_each(|(sum, p)| *sum += weight * f64::from(*p))
            }
        }
    }
    let total: f64 = sums.iter().sum();
    sums.into_iter().map(|sum| bounded(job, sum / total)).collect()
}

fn numbers(job: &Job) -> Vec<f64> {
    let loss = &job.task.loss;
    let width = job.train.target_width;
    let means = (0..width).map(|target| mean(job, target));
    if loss.predicts_exponentials() {
        return means.map(|mean| mean.max(f64::MIN_POSITIVE).ln()).collect();
    }
    match loss.row.name {
        "mse" | "poisson" => means.collect(),
        "gaussian_nll" => {
            let means: Vec<f64> = means.collect();
            let spreads = log_variances(job, &|_, outputs| outputs.copy_from_slice(&means));
            [means, spreads].concat()
        }
        _ => (0..width).map(|target| least(job, target)).collect(),
    }
}

/// The logarithm of each target's mean squared distance from what is predicted for it.
pub(super) fn log_variances(job: &Job, predict: super::score::Outputs) -> Vec<f64> {
    let width = job.train.target_width;
    let total: f64 = job.weights.iter().sum();
    let (mut said, mut squares) = (vec![0.0; width], vec![0.0; width]);
    for (row, weight) in job.weights.iter().enumerate() {
        predict(super::job::features(&job.train, row), &mut said);
        for ((square, z), y) in squares.iter_mut().zip(&said).zip(targets(&job.train, row)) {
            *square += weight * (f64::from(*y) - z).powi(2) / total;
        }
    }
    squares.into_iter().map(|square| square.max(1e-12).ln()).collect()
}

/// The number with the smallest loss, by golden sections: as a function of it a loss falls, then rises.
fn least(job: &Job, target: usize) -> f64 {
    let loss = &job.task.loss;
    let rows = job.train.rows.min(ROWS);
    let picked: Vec<(f64, f64)> = (0..rows)
        .map(|at| at * job.train.rows / rows)
        .map(|row| (f64::from(targets(&job.train, row)[target]), job.weights[row]))
        .collect();
    let of = |z: f64| -> f64 {
        let each = picked.iter();
        each.map(|(y, w)| w * (loss.row.double)(&[z], &[*y], &mut [], loss.values)).sum()
    };
    let mut low = picked.iter().map(|(y, _)| *y).fold(f64::INFINITY, f64::min);
    let mut high = picked.iter().map(|(y, _)| *y).fold(f64::NEG_INFINITY, f64::max);
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let mut a = high - golden * (high - low);
    let mut b = low + golden * (high - low);
    let (mut at_a, mut at_b) = (of(a), of(b));
    for _ in 0..STEPS {
        if at_a <= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - golden * (high - low);
            at_a = of(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + golden * (high - low);
            at_b = of(b);
        }
    }
    0.5 * (low + high)
}
