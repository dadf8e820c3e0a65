//! Generalised linear models by L-BFGS: the weights that minimise
//! `sum of w loss(b + V x) + alpha / 2 |V|^2`, with the cross-entropy of a softmax, that of a sigmoid for each
//! output, or half the squared error.
//!
//! Inputs are centred and scaled on the way, which changes the path and not the minimum: the penalty is on
//! the weights of the inputs as they are.

use rayon::prelude::*;

use super::job::{Job, features, targets};
use super::lbfgs::{Limits, minimise};
use super::linear::{Model, chunks, product};

/// What an output means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Logarithms of the classes' probabilities, but for a constant.
    Softmax,
    /// Log odds.
    Sigmoid,
    /// The number itself.
    Identity,
}

impl Link {
    /// The loss of a row; `outputs` become its gradient by them.
    fn loss(self, outputs: &mut [f64], targets: &[f32]) -> f64 {
        match self {
            Self::Softmax => {
                let largest = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let of_class: f64 = match targets {
                    [class] => outputs[*class as usize],
                    all => outputs.iter().zip(all).map(|(z, y)| z * f64::from(*y)).sum(),
                };
                let share: f64 = match targets {
                    [_] => 1.0,
                    all => all.iter().map(|y| f64::from(*y)).sum(),
                };
                let mut sum = 0.0;
                for z in outputs.iter_mut() {
                    *z = (*z - largest).exp();
                    sum += *z;
                }
                outputs.iter_mut().for_each(|p| *p *= share / sum);
                match targets {
                    [class] => outputs[*class as usize] -= 1.0,
                    all => outputs.iter_mut().zip(all).for_each(|(p, y)| *p -= f64::from(*y)),
                }
                share * (largest + sum.ln()) - of_class
            }
            Self::Sigmoid => {
                let mut loss = 0.0;
                for (z, y) in outputs.iter_mut().zip(targets) {
                    let y = f64::from(*y);
                    let e = (-z.abs()).exp();
                    loss += z.max(0.0) - *z * y + e.ln_1p();
                    let p = if *z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
                    *z = p - y;
                }
                loss
            }
            Self::Identity => {
                let mut loss = 0.0;
                for (z, y) in outputs.iter_mut().zip(targets) {
                    *z -= f64::from(*y);
                    loss += 0.5 * *z * *z;
                }
                loss
            }
        }
    }
}

/// Some of a job's training rows, at equal distances, to fit models to.
pub(super) struct Fit<'a> {
    job: &'a Job,
    link: Link,
    rows: usize,
    outputs: usize,
    means: Vec<f64>,
    scales: Vec<f64>,
    total: f64,
}

impl<'a> Fit<'a> {
    pub(super) fn new(job: &'a Job, link: Link, rows: usize, outputs: usize) -> Self {
        let mut fit = Self {
            job,
            link,
            rows,
            outputs,
            means: vec![0.0; job.inputs],
            scales: vec![0.0; job.inputs],
            total: 0.0,
        };
        let each = || (0..rows).map(|at| at * job.train.rows / rows);
        fit.total = each().map(|row| job.weights[row]).sum();
        for row in each() {
            let weight = job.weights[row] / fit.total;
            let own = features(&job.train, row);
            fit.means.iter_mut().zip(own).for_each(|(mean, x)| *mean += weight * f64::from(*x));
        }
        for row in each() {
            let weight = job.weights[row] / fit.total;
            let own = features(&job.train, row).iter().zip(&fit.means);
            for (scale, (x, mean)) in fit.scales.iter_mut().zip(own) {
                *scale += weight * (f64::from(*x) - mean).powi(2);
            }
        }
        // A constant input has no weight.
        fit.scales.iter_mut().for_each(|s| *s = if *s > 1e-12 { s.sqrt() } else { 1.0 });
        fit
    }

    /// Numbers of a model: a row of weights and a bias for each output.
    pub(super) fn start(&self) -> Vec<f64> {
        vec![0.0; self.outputs * (self.job.inputs + 1)]
    }

    /// The model of scaled weights.
    fn model(&self, at: &[f64], converged: bool) -> Model {
        let inputs = self.job.inputs;
        let mut weights = Vec::with_capacity(self.outputs * inputs);
        let mut biases = Vec::with_capacity(self.outputs);
        for own in at.chunks_exact(inputs + 1) {
            let (scaled, bias) = own.split_at(inputs);
            let plain: Vec<f64> = scaled.iter().zip(&self.scales).map(|(v, s)| v / s).collect();
            let centre: f64 = plain.iter().zip(&self.means).map(|(w, mean)| w * mean).sum();
            biases.push(bias[0] - centre);
            weights.extend(plain);
        }
        Model { inputs, weights, biases, converged }
    }

    /// Moves `at`, which [`start`](Self::start) gave, to the minimum at a penalty.
    pub(super) fn minimum(&self, at: &mut Vec<f64>, penalty: f64, limits: Limits) -> Model {
        let converged = minimise(at, &mut |at, gradient| self.value(at, gradient, penalty), limits);
        self.model(at, converged)
    }

    /// The mean loss with its penalty, and its gradient.
    fn value(&self, at: &[f64], gradient: &mut [f64], penalty: f64) -> f64 {
        let (inputs, outputs) = (self.job.inputs, self.outputs);
        let model = self.model(at, true);
        let train = &self.job.train;
        let of_chunk = |chunk: std::ops::Range<usize>| {
            let mut sums = vec![0.0; outputs * (inputs + 1)];
            let (mut said, mut wide) = (vec![0.0; outputs], vec![0.0; inputs]);
            let mut loss = 0.0;
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for row in chunk.map(|at| at * train.rows / self.rows) {
                        let weight = self.job.weights[row];
                        let own = features(train, row);
                        wide.iter_mut().zip(own).for_each(|(wide, x)| *wide = f64::from(*x));
                        for (k, z) in said.iter_mut().enumerate() {
                            *z = model.biases[k]
                                + product(&wide, &model.weights[k * inputs..(k + 1) * inputs]);
                        }
                        loss += weight * self.link.loss(&mut said, targets(train, row));
                        for (sums, r) in sums.chunks_exact_mut(inputs + 1).zip(&said) {
                            let r = weight * r;
                            sums[inputs] += r;
                            sums.iter_mut().zip(&wide).for_each(|(s, x)| *s += r * x);
                        }
                    }
                },
            );
            (loss, sums)
        };
        let parts: Vec<(f64, Vec<f64>)> =
            chunks(self.rows, at.len()).into_par_iter().map(of_chunk).collect();
        gradient.fill(0.0);
        let mut loss = 0.0;
        for (own, sums) in parts {
            loss += own;
            gradient.iter_mut().zip(&sums).for_each(|(g, s)| *g += s);
        }
        let share = 1.0 / self.total;
        let mut squares = 0.0;
        for (g, v) in gradient.chunks_exact_mut(inputs + 1).zip(at.chunks_exact(inputs + 1)) {
            let of_bias = g[inputs];
            for (((g, v), mean), scale) in g.iter_mut().zip(v).zip(&self.means).zip(&self.scales) {
                let weight = v / scale;
                squares += weight * weight;
                *g = share * (*g - mean * of_bias + penalty * weight) / scale;
            }
            g[inputs] = share * of_bias;
        }
        share * (loss + 0.5 * penalty * squares)
    }
}
