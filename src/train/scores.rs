//! Scores: what the host makes of the log that a pass left on the device.

use serde::Serialize;

use super::feed::DeviceSet;
use super::steps::Batches;
use crate::catalog::metric::{MetricRow, OutputScale, TERMS, TermRow};

/// The terms that some metrics need, each once, in the order of the row statistics.
pub fn terms_of(metrics: &[&'static MetricRow]) -> Vec<&'static TermRow> {
    (0..TERMS.len())
        .filter(|term| metrics.iter().any(|metric| metric.term == *term))
        .map(|term| &TERMS[term])
        .collect()
}

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

/// Makes scores of logs.
#[derive(Debug, Clone)]
pub struct Scorer {
    metrics: Vec<&'static MetricRow>,
    terms: Vec<&'static TermRow>,
    outputs: usize,
    /// Standard deviation that each target was divided by.
    target_scale: Vec<f64>,
}

impl Scorer {
    /// For those metrics, of a network of so many outputs.
    pub fn new(metrics: &[&'static MetricRow], outputs: usize, target_scale: Vec<f64>) -> Self {
        Self { metrics: metrics.to_vec(), terms: terms_of(metrics), outputs, target_scale }
    }

    /// The scores of each member. `log` is `[steps][members][width]`; the first values of a row are
    /// the sums of the statistics.
    pub fn scores(
        &self,
        log: &[f64],
        width: usize,
        members: usize,
        batches: &Batches,
        set: &DeviceSet,
    ) -> Vec<Scores> {
        let rows = batches.covered() as f64;
        (0..members)
            .map(|member| {
                let mean = |at: usize| {
                    (0..batches.steps())
                        .map(|step| log[(step * members + member) * width + at])
                        .sum::<f64>()
                        / rows
                };
                let metrics = self
                    .metrics
                    .iter()
                    .map(|metric| (metric.name, self.finish(metric, &mean, &set.target_variance)))
                    .collect();
                Scores { loss: mean(0), metrics }
            })
            .collect()
    }

    fn finish(&self, metric: &MetricRow, mean: &dyn Fn(usize) -> f64, variances: &[f64]) -> f64 {
        let mut at = 1;
        for term in &self.terms {
            let width = term.width(self.outputs);
            if std::ptr::eq(*term, &raw const TERMS[metric.term]) {
                let values = (0..width).map(|unit| {
                    let output = OutputScale {
                        scale: self.target_scale.get(unit).copied().unwrap_or(1.0),
                        variance: variances.get(unit).copied().unwrap_or(0.0),
                    };
                    (metric.finish)(mean(at + unit), output)
                });
                return values.sum::<f64>() / width as f64;
            }
            at += width;
        }
        f64::NAN
    }
}
