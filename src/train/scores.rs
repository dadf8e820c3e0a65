//! Scores: what the host makes of the log that a pass left on the device.

use serde::Serialize;

use crate::catalog::metric::{MetricRow, OutputScale, Outputs, Source, TERMS, TermRow};
use crate::config::data::Task;
use crate::error::Result;

/// The terms that some metrics of a task need, each once, in the order of the row statistics.
pub fn terms_of(metrics: &[&'static MetricRow], task: Task) -> Vec<&'static TermRow> {
    (0..TERMS.len())
        .filter(|term| metrics.iter().any(|metric| metric.term(task) == Some(*term)))
        .map(|term| &TERMS[term])
        .collect()
}

/// What a pass left behind, and what it went over.
#[derive(Debug, Clone, Copy)]
pub struct PassLog<'a> {
    /// `[steps][members][width]`; the first values of a row are the sums of the statistics.
    pub log: &'a [f64],
    /// Values of a row.
    pub width: usize,
    /// Its steps.
    pub steps: usize,
    /// The rows that each member's pass covered.
    pub covered: &'a [usize],
    /// The variance of each target over a member's rows: of all members, or of those of each fold.
    pub variances: &'a [Vec<f64>],
    /// What each member's losses are divided by.
    pub divisors: &'a [f64],
}

/// What a network gave for every row of a set, for the metrics that need it.
pub struct SetOutputs<'a> {
    /// Classes (2 for a binary task), labels, or targets.
    pub width: usize,
    /// A member's targets and predictions, as in [`Outputs`]. Asked for once a member, in order,
    /// so that those of one member are held at a time.
    pub of_member: &'a mut dyn FnMut(usize) -> Result<TargetsAndPredictions>,
}

/// `targets` and `predictions` of [`Outputs`].
pub type TargetsAndPredictions = (Vec<f64>, Vec<f64>);

/// The loss and metrics of one member on one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Mean loss over the rows, without regularisation.
    pub loss: f64,
    /// Metrics by name, in the order asked for.
    pub metrics: Vec<(&'static str, f64)>,
}

impl Scores {
    /// Makes every value "not a number": the member did not train through the whole pass.
    pub(super) fn forget(&mut self) {
        self.loss = f64::NAN;
        self.metrics.iter_mut().for_each(|(_, value)| *value = f64::NAN);
    }

    /// `loss` or a metric by name.
    pub fn get(&self, name: &str) -> Option<f64> {
        if name == "loss" {
            return Some(self.loss);
        }
        self.metrics.iter().find(|(metric, _)| *metric == name).map(|(_, value)| *value)
    }
}

/// Scores by set, for each member.
pub(super) type SetScores = Vec<(String, Vec<Scores>)>;

/// Makes scores of logs.
#[derive(Debug, Clone)]
pub struct Scorer {
    task: Task,
    metrics: Vec<&'static MetricRow>,
    terms: Vec<&'static TermRow>,
    targets: usize,
    /// Standard deviation that each target was divided by.
    target_scale: Vec<f64>,
}

impl Scorer {
    /// For those metrics of a task, of a data set of so many targets.
    pub fn new(
        task: Task,
        metrics: &[&'static MetricRow],
        targets: usize,
        target_scale: Vec<f64>,
    ) -> Self {
        let terms = terms_of(metrics, task);
        Self { task, metrics: metrics.to_vec(), terms, targets, target_scale }
    }

    /// The terms that its metrics need, each with its values a row.
    pub(super) fn terms(&self) -> impl Iterator<Item = (&'static TermRow, usize)> {
        self.terms.iter().map(|term| (*term, term.width(self.targets)))
    }

    /// Whether a metric is made of the outputs of every row, which [`Scorer::scores`] must then be
    /// given.
    pub fn needs_outputs(&self) -> bool {
        self.metrics.iter().any(|metric| metric.term(self.task).is_none())
    }

    /// The scores of each member. Without `outputs`, the metrics that are made of them are left out.
    ///
    /// # Errors
    /// Those of [`SetOutputs::of_member`].
    pub fn scores(&self, pass: &PassLog, mut outputs: Option<SetOutputs>) -> Result<Vec<Scores>> {
        let PassLog { log, width, steps, covered, variances, divisors } = *pass;
        let members = divisors.len();
        let mut scores = Vec::with_capacity(members);
        for member in 0..members {
            let rows = covered[member] as f64;
            let sum = |at: usize| {
                (0..steps).map(|step| log[(step * members + member) * width + at]).sum::<f64>()
            };
            let mean = |at: usize| sum(at) / rows;
            let predictions = match &mut outputs {
                Some(outputs) if self.needs_outputs() => Some((outputs.of_member)(member)?),
                _ => None,
            };
            let said =
                outputs.as_ref().zip(predictions.as_ref()).map(|(outputs, (targets, said))| {
                    Outputs {
                        task: self.task,
                        rows: said.len() / outputs.width.max(1),
                        width: outputs.width,
                        predictions: said,
                        targets,
                    }
                });
            let value = |metric: &MetricRow| match (metric.source)(self.task) {
                Source::Term { term, finish } => {
                    Some(self.finish(term, finish, &mean, &variances[member % variances.len()]))
                }
                Source::Outputs(_) => said.as_ref().and_then(|said| metric.of_outputs(said)),
            };
            let metrics = self
                .metrics
                .iter()
                .filter_map(|metric| Some((metric.name, value(metric)?)))
                .collect();
            scores.push(Scores { loss: sum(0) / divisors[member], metrics });
        }
        Ok(scores)
    }

    fn finish(
        &self,
        term: usize,
        finish: fn(f64, OutputScale) -> f64,
        mean: &dyn Fn(usize) -> f64,
        variances: &[f64],
    ) -> f64 {
        let mut at = 1;
        for row in &self.terms {
            let width = row.width(self.targets);
            if std::ptr::eq(*row, &raw const TERMS[term]) {
                let values = (0..width).map(|unit| {
                    let output = OutputScale {
                        scale: self.target_scale.get(unit).copied().unwrap_or(1.0),
                        variance: variances.get(unit).copied().unwrap_or(0.0),
                    };
                    finish(mean(at + unit), output)
                });
                return values.sum::<f64>() / width as f64;
            }
            at += width;
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Capacity;
    use crate::catalog::metric::find;
    use crate::data::Rows;
    use crate::program::Precision;
    use crate::train::device_set::{DeviceSet, Fit};
    use crate::train::order::Shuffle;

    /// A set of one input and one target, held whole.
    fn test_set(rows: Rows, batch: usize) -> DeviceSet {
        let capacity = Capacity {
            buffer_bytes: 1 << 20,
            fuses: false,
            splits: false,
            halves: false,
            queues: false,
        };
        let (precision, largest_batch) = (Precision::F32, batch);
        let fit = Fit { capacity, precision, largest_batch, shuffle: Shuffle::All };
        DeviceSet::new("test", rows.into(), 1, 1, fit).expect("a set in memory")
    }

    #[test]
    fn metrics_of_outputs_stand_beside_those_of_terms() -> Result<()> {
        let metrics: Vec<_> =
            ["f1", "accuracy", "roc_auc"].iter().filter_map(|name| find(name)).collect();
        let scorer = Scorer::new(Task::Binary, &metrics, 1, Vec::new());
        assert!(scorer.needs_outputs());
        assert_eq!(terms_of(&metrics, Task::Binary).len(), 1);
        assert!(terms_of(&metrics, Task::Multilabel).is_empty());
        let rows = Rows {
            rows: 4,
            features: vec![0.0; 4],
            targets: vec![0.0, 0.0, 1.0, 1.0],
            sample_weights: Vec::new(),
            spill: None,
        };
        let set = test_set(rows, 4);
        // One step, two members: loss and accuracy summed over the rows.
        let log = [2.0, 3.0, 4.0, 2.0];
        let variances = std::slice::from_ref(&set.target_variance);
        let covered = &[4, 4];
        let pass =
            PassLog { log: &log, width: 2, steps: 1, covered, variances, divisors: &[4.0, 4.0] };
        let left_out = scorer.scores(&pass, None)?;
        assert_eq!(left_out[0].metrics, [("accuracy", 0.75)]);
        assert_eq!((left_out[1].loss, left_out[1].get("f1")), (1.0, None));
        let ones = [[0.1, 0.2, 0.3, 0.9], [0.6, 0.2, 0.7, 0.4]];
        let mut asked = Vec::new();
        let mut predictions = |member: usize| {
            asked.push(member);
            let said = ones[member].iter().flat_map(|p| [1.0 - p, *p]).collect();
            Ok((vec![0.0, 0.0, 1.0, 1.0], said))
        };
        let given = SetOutputs { width: 2, of_member: &mut predictions };
        let scores = scorer.scores(&pass, Some(given))?;
        let names: Vec<_> = scores[0].metrics.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["f1", "accuracy", "roc_auc"]);
        // Member 0 finds one of two; member 1 one of two, and one that is none.
        assert_eq!(scores[0].get("f1"), Some(2.0 / 3.0));
        assert_eq!(scores[0].get("roc_auc"), Some(1.0));
        assert_eq!(scores[1].get("f1"), Some(0.5));
        assert_eq!(scores[1].get("roc_auc"), Some(0.75));
        assert_eq!(scores[1].get("accuracy"), Some(0.5));
        assert_eq!(asked, [0, 1]);
        Ok(())
    }

    #[test]
    fn predictions_that_cannot_be_read_are_an_error_and_odd_ones_no_score() -> Result<()> {
        let metrics: Vec<_> = find("f1").into_iter().collect();
        let scorer = Scorer::new(Task::Binary, &metrics, 1, Vec::new());
        let rows = Rows {
            rows: 1,
            features: vec![0.0],
            targets: vec![1.0],
            sample_weights: Vec::new(),
            spill: None,
        };
        let set = test_set(rows, 1);
        let score = |of_member: &mut dyn FnMut(usize) -> Result<TargetsAndPredictions>| {
            let given = SetOutputs { width: 2, of_member };
            let (log, divisors) = ([0.5], [1.0]);
            let variances = std::slice::from_ref(&set.target_variance);
            let covered = &[1];
            let pass =
                PassLog { log: &log, width: 1, steps: 1, covered, variances, divisors: &divisors };
            scorer.scores(&pass, Some(given))
        };
        assert!(score(&mut |_| Err(crate::Error::usage("lost"))).is_err());
        for odd in [vec![f64::NAN, 0.5], vec![], vec![0.5; 4]] {
            let scores = score(&mut |_| Ok((vec![1.0], odd.clone())))?;
            assert!(scores[0].get("f1").is_some_and(f64::is_nan), "{odd:?}");
        }
        Ok(())
    }
}
