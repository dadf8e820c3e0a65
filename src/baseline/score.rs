//! Scores of outputs, as a network's are scored.

use super::SetScores;
use super::job::{Job, features, targets};
use crate::catalog::metric::{TERMS, Term};
use crate::error::Result;
use crate::kernels::loss::LossFunctions;
use crate::train::{DeviceSet, PassLog, Scores, SetOutputs, terms_of};

/// What stands where a network would: the outputs of a row by its inputs.
pub(super) type Outputs<'a> = &'a dyn Fn(&[f32], &mut [f64]);

pub(super) fn scores(job: &Job, outputs: Outputs) -> Result<SetScores> {
    job.sets().map(|set| Ok((set.name.clone(), of_set(job, set, outputs)?))).collect()
}

pub(super) fn of_set(job: &Job, set: &DeviceSet, outputs: Outputs) -> Result<Scores> {
    let task = &job.task;
    let terms: Vec<(Term<f64>, usize)> = terms_of(&task.metrics, task.task)
        .into_iter()
        .map(|term| (term.double, term.width(set.target_width)))
        .collect();
    let width = 1 + terms.iter().map(|(_, width)| width).sum::<usize>();
    debug_assert!(terms.len() <= TERMS.len());
    let functions = LossFunctions {
        row_loss: task.loss.row.double,
        parameters: task.loss.values,
        exponential: task.loss.predicts_exponentials(),
        terms: &terms,
    };
    let (mut log, mut statistics) = (vec![0.0; width], vec![0.0; width]);
    let (mut said, mut own) = (vec![0.0; job.outputs], Vec::new());
    let wanted = job.scorer.needs_outputs();
    let (mut truths, mut predictions) = (Vec::new(), Vec::new());
    for row in 0..set.rows {
        outputs(features(set, row), &mut said);
        let target = targets(set, row);
        own.clear();
        own.extend(target.iter().map(|y| f64::from(*y)));
        let weight = match set.target_stride > set.target_width {
            true => f64::from(set.targets[row * set.target_stride + set.target_width]),
            false => 1.0,
        };
        functions.row(&said, &own, weight, 0.0, &mut [], &mut statistics);
        log.iter_mut().zip(&statistics).for_each(|(sum, value)| *sum += value);
        if wanted {
            predictions.extend(job.interpreter.interpret(&said));
            job.interpreter.targets(target, &mut truths);
        }
    }
    let divisor = match set.divisors.as_slice() {
        [] => set.rows as f64,
        all => all.iter().map(|divisor| f64::from(*divisor)).sum(),
    };
    let mut given = Some((truths, predictions));
    let mut of_member = |_| Ok(given.take().unwrap_or_default());
    let collected = wanted.then_some(SetOutputs {
        width: job.interpreter.width(job.outputs),
        of_member: &mut of_member,
    });
    let variances = std::slice::from_ref(&set.target_variance);
    let covered = &[set.rows];
    let pass = PassLog { log: &log, width, steps: 1, covered, variances, divisors: &[divisor] };
    let scores = job.scorer.scores(&pass, collected)?;
    Ok(scores.into_iter().next().unwrap_or(Scores { loss: f64::NAN, metrics: Vec::new() }))
}
