//! Members as one model: what they say together, and how well they do.
//!
//! Probabilities and predictions are averaged, as in Lakshminarayanan et al. 2017, "Simple and scalable
//! predictive uncertainty estimation using deep ensembles". Whatever is convex in them, log loss and squared
//! errors among it, is then never worse than its mean over the members.

use super::device_set::DeviceSet;
use super::feed::Feed;
use super::outputs::Interpreter;
use super::scores::{PassLog, Scorer, Scores, SetOutputs, TargetsAndPredictions};
use crate::backend::Executor;
use crate::catalog::loss::gaussian_nll::LEAST_VARIANCE;
use crate::catalog::metric::Term;
use crate::config::data::Task;
use crate::error::Result;
use crate::kernels::loss::LossFunctions;
use crate::network::Network;
use crate::program::{BufferId, Plan};

/// log of the mean of the exponentials.
fn log_mean_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    let (sum, count) =
        values.fold((0.0, 0.0), |(sum, count), x| (sum + (x - largest).exp(), count + 1.0));
    largest + (sum / count).ln()
}

/// log(1 / (1 + exp(-z))).
fn log_sigmoid(z: f64) -> f64 {
    z.min(0.0) - (-z.abs()).exp().ln_1p()
}

/// The log-odds of the mean of the members' probabilities; no probability rounds to 0 or 1 on the way.
fn mean_log_odds(logits: impl Iterator<Item = f64> + Clone) -> f64 {
    log_mean_exp(logits.clone().map(log_sigmoid)) - log_mean_exp(logits.map(|z| log_sigmoid(-z)))
}

impl Interpreter {
    /// The outputs of one network that would say what the members say together, of each member's outputs
    /// of a row: any loss and metric of them is that of the ensemble. Of `gaussian_nll` mean and variance
    /// are those of the members' mixture, as in the paper's section 2.4.
    pub fn together(&self, members: &[&[f64]]) -> Vec<f64> {
        let outputs = members.first().map_or(0, |own| own.len());
        let of = |unit: usize| members.iter().map(move |own| own[unit]);
        let mean = |unit: usize| of(unit).sum::<f64>() / members.len() as f64;
        match self.task {
            Task::Binary | Task::Multilabel => {
                (0..outputs).map(|unit| mean_log_odds(of(unit))).collect()
            }
            Task::Classification => {
                let sums = members.iter().map(|own| {
                    let largest = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    largest + own.iter().map(|z| (z - largest).exp()).sum::<f64>().ln()
                });
                let sums: Vec<f64> = sums.collect();
                let log_p = |unit: usize| of(unit).zip(&sums).map(|(z, sum)| z - sum);
                (0..outputs).map(|unit| log_mean_exp(log_p(unit))).collect()
            }
            Task::Regression if self.loss.predicts_exponentials() => {
                (0..outputs).map(|unit| log_mean_exp(of(unit))).collect()
            }
            Task::Regression => {
                let width = self.width(outputs);
                let mut together: Vec<f64> = (0..width).map(mean).collect();
                // Beside the means stand logarithms of variances.
                for unit in width..outputs {
                    let about = together[unit - width];
                    let variances = members.iter().map(|own| {
                        let apart = own[unit - width] - about;
                        own[unit].exp().max(LEAST_VARIANCE) + apart * apart
                    });
                    together.push((variances.sum::<f64>() / members.len() as f64).ln());
                }
                together
            }
        }
    }
}

/// Where a step leaves the network's outputs.
#[derive(Debug, Clone, Copy)]
pub struct Logits {
    buffer: BufferId,
    elements: usize,
    members: usize,
    outputs: usize,
}

impl Logits {
    /// Those of a network, in its plan.
    ///
    /// # Errors
    /// A plan of another network.
    pub fn of(plan: &Plan, network: &Network) -> Result<Self> {
        let buffer = plan.buffer(&format!("activation.{}", network.layers.len() - 1))?;
        let elements = plan.buffers[buffer.0].elements();
        Ok(Self { buffer, elements, members: network.members, outputs: network.outputs() })
    }

    /// Reads those of the last step.
    ///
    /// # Errors
    /// Those of the executor.
    pub fn read(&self, executor: &mut dyn Executor) -> Result<Vec<f64>> {
        let read = executor.read(&[(self.buffer, self.elements)])?;
        Ok(read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default())
    }

    /// A member's outputs of a row of the step's batch, in what was read.
    pub fn row<'a>(&self, read: &'a [f64], member: usize, row: usize) -> &'a [f64] {
        let at = member * (self.elements / self.members) + row * self.outputs;
        &read[at..at + self.outputs]
    }
}

/// Scores of outputs that are on the host: it sums, row by row, what a pass on a device sums.
#[derive(Debug)]
pub struct Tally<'a> {
    scorer: &'a Scorer,
    interpreter: &'a Interpreter,
    terms: Vec<(Term<f64>, usize)>,
    collects: bool,
    rows: usize,
    width: usize,
    sums: Vec<f64>,
    statistics: Vec<f64>,
    targets: Vec<f64>,
    collected: TargetsAndPredictions,
}

impl<'a> Tally<'a> {
    /// Of no rows yet. `collects` keeps predictions and targets though no metric needs them.
    pub fn new(scorer: &'a Scorer, interpreter: &'a Interpreter, collects: bool) -> Self {
        let terms: Vec<_> = scorer.terms().map(|(row, width)| (row.double, width)).collect();
        let width = 1 + terms.iter().map(|(_, width)| width).sum::<usize>();
        Self {
            collects: collects || scorer.needs_outputs(),
            scorer,
            interpreter,
            terms,
            rows: 0,
            width: 0,
            sums: vec![0.0; width],
            statistics: vec![0.0; width],
            targets: Vec::new(),
            collected: Default::default(),
        }
    }

    /// Adds a row of a set, by what is said of it.
    pub fn add(&mut self, outputs: &[f64], set: &DeviceSet, row: usize) {
        let own = &set.targets[row * set.target_stride..][..set.target_stride];
        let (own, weight) = own.split_at(set.target_width);
        self.targets.clear();
        self.targets.extend(own.iter().map(|y| f64::from(*y)));
        let weight = weight.first().map_or(1.0, |weight| f64::from(*weight));
        let loss = self.interpreter.loss;
        let functions = LossFunctions {
            row_loss: loss.row.double,
            parameters: loss.values,
            exponential: loss.predicts_exponentials(),
            terms: &self.terms,
        };
        functions.row(outputs, &self.targets, weight, 0.0, &mut [], &mut self.statistics);
        self.sums.iter_mut().zip(&self.statistics).for_each(|(sum, value)| *sum += value);
        self.rows += 1;
        self.width = self.interpreter.width(outputs.len());
        if self.collects {
            self.interpreter.targets(own, &mut self.collected.0);
            self.collected.1.extend(self.interpreter.interpret(outputs));
        }
    }

    /// The targets and predictions that were collected.
    pub fn collected(&self) -> &TargetsAndPredictions {
        &self.collected
    }

    /// The scores of the rows that were added: all of the set.
    ///
    /// # Errors
    /// None that the scorer does not have.
    pub fn scores(self, set: &DeviceSet) -> Result<Scores> {
        let Self { scorer, rows, width, sums, collected, collects, .. } = self;
        let divisor = match set.divisors.as_slice() {
            [] => rows as f64,
            all => all.iter().map(|divisor| f64::from(*divisor)).sum(),
        };
        let mut given = Some(collected);
        let mut of_member = |_| Ok(given.take().unwrap_or_default());
        let outputs = collects.then_some(SetOutputs { width, of_member: &mut of_member });
        let pass = PassLog {
            log: &sums,
            width: sums.len(),
            steps: 1,
            covered: &[rows],
            variances: std::slice::from_ref(&set.target_variance),
            divisors: &[divisor],
        };
        let scores = scorer.scores(&pass, outputs)?;
        Ok(scores.into_iter().next().unwrap_or(Scores { loss: f64::NAN, metrics: Vec::new() }))
    }
}

/// Runs an evaluation pass of which every member takes all rows, and tallies what they say together.
///
/// # Errors
/// Those of the executor.
pub fn tally_together(
    pass: &Feed,
    executor: &mut dyn Executor,
    logits: Logits,
    tally: &mut Tally,
) -> Result<()> {
    let mut next = 0..;
    pass.run_each(pass.batches.covered(), executor, &mut |executor, rows| {
        let read = logits.read(executor)?;
        for (at, row) in next.by_ref().take(rows).enumerate() {
            let said: Vec<&[f64]> =
                (0..logits.members).map(|member| logits.row(&read, member, at)).collect();
            let together = tally.interpreter.together(&said);
            tally.add(&together, &pass.set, row);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::loss::{LossSettings, find};
    use crate::catalog::optimizer::Convention;

    fn interpreter(task: Task, loss: &str) -> Interpreter {
        let row = find(loss).expect("a loss");
        let loss = LossSettings::new(row, Convention::Torch);
        Interpreter { task, loss, target_scale: vec![(3.0, 2.0); 2] }
    }

    /// What is said together is the mean of what is said, whatever the outputs' size.
    #[test]
    fn together_is_the_mean_of_what_each_says() {
        let outputs: [&[f64]; 4] = [&[0.3, -1.2], &[2.0, 0.5], &[-4.0, 700.0], &[-300.0, -0.1]];
        for (task, loss, width) in [
            (Task::Binary, "binary_cross_entropy", 1),
            (Task::Multilabel, "binary_focal", 2),
            (Task::Classification, "categorical_cross_entropy", 2),
            (Task::Regression, "mse", 2),
            (Task::Regression, "poisson", 2),
        ] {
            let interpreter = interpreter(task, loss);
            let members: Vec<&[f64]> = outputs.iter().map(|own| &own[..width]).collect();
            let found = interpreter.interpret(&interpreter.together(&members));
            for (at, value) in found.iter().enumerate() {
                let said = members.iter().map(|own| interpreter.interpret(own)[at]);
                let mean = said.sum::<f64>() / 4.0;
                let error = (value - mean).abs() / mean.abs().max(1.0);
                assert!(error < 1e-12, "{loss} {at}: {value}, not {mean}");
            }
        }
    }

    /// Members that are sure of the same leave a loss that is a number, and theirs.
    #[test]
    fn sure_members_are_not_rounded_to_certainty() {
        for (task, loss, own) in [
            (Task::Binary, "binary_cross_entropy", &[-900.0][..]),
            (Task::Classification, "categorical_cross_entropy", &[-500.0, 400.0]),
        ] {
            let interpreter = interpreter(task, loss);
            let together = interpreter.together(&[own, own, own]);
            let of = |outputs: &[f64]| {
                (interpreter.loss.row.double)(outputs, &[0.0], &mut [], interpreter.loss.values)
            };
            let target = if task == Task::Binary { 1.0 } else { 0.0 };
            let far = |outputs: &[f64]| {
                (interpreter.loss.row.double)(outputs, &[target], &mut [], interpreter.loss.values)
            };
            assert!((of(&together) - of(own)).abs() < 1e-9, "{loss}");
            assert!((far(&together) - 900.0).abs() < 1e-9, "{loss}: {}", far(&together));
        }
    }

    /// Two normal distributions, N(1, 1) and N(3, e), as one: mean 2, variance (1 + e) / 2 + 1.
    #[test]
    fn normal_distributions_are_mixed() {
        let together =
            interpreter(Task::Regression, "gaussian_nll").together(&[&[1.0, 0.0], &[3.0, 1.0]]);
        assert!((together[0] - 2.0).abs() < 1e-12);
        let variance = (1.0 + 1.0_f64.exp()) / 2.0 + 1.0;
        assert!((together[1].exp() - variance).abs() < 1e-12, "{together:?}");
    }
}
