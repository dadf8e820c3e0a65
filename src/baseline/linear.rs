//! The linear baseline: which model a task takes, on how many rows, with which penalty.

use super::job::Job;
use super::lbfgs::Limits;
use super::logistic::{Fit, Link};
use super::ridge::Equations;
use super::{Linear, PENALTIES, PENALTY, constant, score};
use crate::config::data::Task;
use crate::error::Result;

/// Multiplications that a fit may take, about: a second or two.
const BUDGET: f64 = 1.2e10;

/// Times that L-BFGS goes over the rows in all, about, and penalties that it does so for.
const PASSES: f64 = 150.0;
const FITS: f64 = 3.0;

/// Weights of a model at most.
const MOST_WEIGHTS: usize = 1 << 19;

/// Inputs up to which a regression is solved in closed form.
const CLOSED: usize = 1024;

/// Rows that a fit takes at least, where there are as many.
const LEAST_ROWS: usize = 500;

/// Parts that rows are summed in, at most: as many whatever the number of threads.
const PARTS: usize = 16;

/// Numbers that the parts' sums hold in all, at most.
const MOST_SUMS: usize = 1 << 23;

/// Of each penalty, where that is affordable; a baseline need not be known to more digits.
pub(super) const LIMITS: Limits = Limits { steps: 200, gradient: 1e-4 };

/// The outputs of a row by its inputs.
type Outputs<'a> = dyn Fn(&[f32], &mut [f64]) + 'a;

/// A linear model of the encoded inputs.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) inputs: usize,
    /// `[outputs, inputs]`.
    pub(super) weights: Vec<f64>,
    pub(super) biases: Vec<f64>,
    pub(super) converged: bool,
}

impl Model {
    pub(super) fn apply(&self, features: &[f32], outputs: &mut [f64]) {
        let rows = self.weights.chunks_exact(self.inputs);
        for ((z, row), bias) in outputs.iter_mut().zip(rows).zip(&self.biases) {
            *z = bias + product(features, row);
        }
    }
}

/// The inner product, in eight sums.
#[inline(always)]
pub(super) fn product<T: Copy + Into<f64>>(x: &[T], w: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (mut xs, mut ws) = (x.chunks_exact(8), w.chunks_exact(8));
    for (x, w) in (&mut xs).zip(&mut ws) {
        for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
            *sum += (*x).into() * w;
        }
    }
    let rest: f64 = xs.remainder().iter().zip(ws.remainder()).map(|(x, w)| (*x).into() * w).sum();
    sums.iter().sum::<f64>() + rest
}

/// Rows in parts whose sums hold so many numbers each.
pub(super) fn chunks(rows: usize, numbers: usize) -> Vec<std::ops::Range<usize>> {
    let parts = (MOST_SUMS / numbers.max(1)).clamp(1, PARTS).min(rows.max(1));
    (0..parts).map(|part| part * rows / parts..(part + 1) * rows / parts).collect()
}

/// What an output of the task's linear model means, and how many there are.
fn link(job: &Job) -> (Link, usize) {
    match job.task.task {
        Task::Classification => (Link::Softmax, job.outputs),
        Task::Binary | Task::Multilabel => (Link::Sigmoid, job.outputs),
        Task::Regression => (Link::Identity, job.train.target_width),
    }
}

/// The model of each penalty, fitted to so many rows; in closed form, for numbers alone, or by L-BFGS.
pub(super) fn models<'a>(
    job: &'a Job,
    closed: bool,
    rows: usize,
    limits: Limits,
) -> Box<dyn FnMut(f64) -> Option<Model> + 'a> {
    if closed {
        let equations = Equations::of(job, rows);
        return Box::new(move |penalty| equations.solve(penalty));
    }
    let (link, outputs) = link(job);
    let fit = Fit::new(job, link, rows, outputs);
    // From one penalty to the next it is not far.
    let mut at = fit.start();
    Box::new(move |penalty| Some(fit.minimum(&mut at, penalty, limits)))
}

/// Fits and scores it; none for a model that is too large, or has no input.
pub(super) fn linear(job: &Job) -> Result<Option<Linear>> {
    let (link, outputs) = link(job);
    let weights = outputs.saturating_mul(job.inputs + 1);
    if job.inputs == 0 || weights > MOST_WEIGHTS {
        return Ok(None);
    }
    let closed = link == Link::Identity && job.inputs <= CLOSED;
    let row_cost = match closed {
        true => 0.5 * (job.inputs * job.inputs) as f64,
        false => 2.0 * PASSES * weights as f64,
    };
    let affordable = (BUDGET / row_cost) as usize;
    let rows = job.train.rows.min(affordable.max(LEAST_ROWS));
    let passes = BUDGET / (2.0 * (weights * rows) as f64);
    let steps = LIMITS.steps.min((passes / FITS) as usize);
    let mut fitted = models(job, closed, rows, Limits { steps, ..LIMITS });
    let chosen = match &job.validation {
        None => fitted(PENALTY).map(|model| (PENALTY, model)),
        Some(_) => choose(job, &mut fitted)?,
    };
    let Some((penalty, model)) = chosen else { return Ok(None) };
    let scores = score::scores(job, &as_network(job, &model))?;
    let is_finite = scores.iter().all(|(_, scores)| scores.loss.is_finite());
    Ok(is_finite.then_some(Linear {
        scores,
        penalty,
        rows,
        converged: model.converged,
        left_out: job.left_out.clone(),
    }))
}

/// The penalty with the lowest loss on the validation rows, from the strongest on until it rises.
fn choose(job: &Job, fitted: &mut dyn FnMut(f64) -> Option<Model>) -> Result<Option<(f64, Model)>> {
    let Some(validation) = &job.validation else { return Ok(None) };
    let mut best: Option<(f64, f64, Model)> = None;
    for penalty in PENALTIES {
        let Some(model) = fitted(penalty) else { continue };
        let loss = score::of_set(job, validation, &as_network(job, &model))?.loss;
        match &best {
            Some((least, ..)) if loss > *least => break,
            Some((least, ..)) if loss == *least => {}
            _ if loss.is_finite() => best = Some((loss, penalty, model)),
            _ => {}
        }
    }
    Ok(best.map(|(_, penalty, model)| (penalty, model)))
}

/// The model's outputs as the run's loss takes a network's: logarithms where it predicts exponentials,
/// and beside the numbers the logarithm of their variance where it wants that.
fn as_network<'a>(job: &'a Job, model: &'a Model) -> Box<Outputs<'a>> {
    let loss = &job.task.loss;
    if job.task.task == Task::Regression && loss.predicts_exponentials() {
        let least: Vec<f64> = (0..job.train.target_width)
            .map(|target| (0.01 * constant::mean(job, target)).max(f64::MIN_POSITIVE))
            .collect();
        return Box::new(move |features, outputs| {
            model.apply(features, outputs);
            outputs.iter_mut().zip(&least).for_each(|(z, least)| *z = z.max(*least).ln());
        });
    }
    if loss.row.outputs_per_target() > 1 {
        let width = job.train.target_width;
        let spreads = constant::log_variances(job, &|features, said| model.apply(features, said));
        return Box::new(move |features, outputs| {
            model.apply(features, &mut outputs[..width]);
            outputs[width..].copy_from_slice(&spreads);
        });
    }
    Box::new(move |features, outputs| model.apply(features, outputs))
}
