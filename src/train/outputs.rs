//! Predictions out of a network's outputs, and what metrics of whole sets are made of.

use super::device_set::DeviceSet;
use super::feed::Feed;
use super::order::EpochOrder;
use super::scores::TargetsAndPredictions;
use crate::catalog::loss::LossSettings;
use crate::config::data::Task;

/// What a network's outputs mean.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// The task.
    pub task: Task,
    /// The loss that the network was trained by.
    pub loss: LossSettings,
    /// Mean and standard deviation that each target was scaled by.
    pub target_scale: Vec<(f64, f64)>,
}

/// The encoded targets of one row.
fn targets_of(set: &DeviceSet, row: usize) -> &[f32] {
    let at = row * set.target_stride;
    &set.targets[at..at + set.target_width]
}

/// 1 / (1 + exp(-z)), without overflow.
fn sigmoid(z: f64) -> f64 {
    let e = (-z.abs()).exp();
    if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

impl Interpreter {
    /// Values of a prediction, for so many outputs.
    pub fn width(&self, outputs: usize) -> usize {
        match self.task {
            Task::Binary => 2,
            Task::Classification | Task::Multilabel => outputs,
            Task::Regression => outputs / self.loss.row.outputs_per_target(),
        }
    }

    /// Probabilities, or values in the user's units, from one row's outputs.
    pub fn interpret(&self, outputs: &[f64]) -> Vec<f64> {
        match self.task {
            Task::Binary => vec![sigmoid(-outputs[0]), sigmoid(outputs[0])],
            Task::Multilabel => outputs.iter().map(|logit| sigmoid(*logit)).collect(),
            Task::Classification => {
                let largest = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let shares: Vec<f64> = outputs.iter().map(|z| (z - largest).exp()).collect();
                let sum: f64 = shares.iter().sum();
                shares.into_iter().map(|share| share / sum).collect()
            }
            Task::Regression => outputs[..self.width(outputs.len())]
                .iter()
                .zip(&self.target_scale)
                .map(|(output, (mean, deviation))| {
                    if self.loss.predicts_exponentials() {
                        output.exp()
                    } else {
                        output * deviation + mean
                    }
                })
                .collect(),
        }
    }

    /// Appends a row's encoded targets as metrics take them: a class index (of a distribution the
    /// likeliest class), labels, or values in the user's units.
    pub fn targets(&self, own: &[f32], into: &mut Vec<f64>) {
        match self.task {
            Task::Binary => into.push(f64::from(own[0])),
            Task::Classification if own.len() > 1 => {
                let likeliest =
                    (1..own.len()).fold(0, |best, i| if own[i] > own[best] { i } else { best });
                into.push(likeliest as f64);
            }
            Task::Classification => into.push(f64::from(own[0])),
            Task::Multilabel => into.extend(own.iter().map(|y| f64::from(*y))),
            Task::Regression => into.extend(
                own.iter()
                    .zip(&self.target_scale)
                    .map(|(y, (mean, deviation))| f64::from(*y) * deviation + mean),
            ),
        }
    }

    /// A member's targets and predictions of the rows that a pass covered. `collected` is
    /// `[members][rows][outputs]`; `order` is that in which they were taken, none stands for that of
    /// the pass, or file order.
    pub fn of_member(
        &self,
        feed: &Feed,
        member: usize,
        collected: &[f64],
        order: Option<&EpochOrder>,
        outputs: usize,
    ) -> TargetsAndPredictions {
        let most = feed.batches.covered();
        let rows = feed.batches_of(member).covered();
        let mine = &collected[member * most * outputs..][..rows * outputs];
        let predictions = mine.chunks_exact(outputs).flat_map(|row| self.interpret(row)).collect();
        let mut targets = Vec::with_capacity(rows);
        let lookup = order.map(EpochOrder::lookup);
        let own = feed.shares.as_ref().map(|shares| shares.of(member));
        for place in 0..rows {
            let row = match (&lookup, own) {
                (Some(lookup), _) => lookup.row(member, place),
                (None, Some(own)) => own[place] as usize,
                (None, None) => place,
            };
            self.targets(targets_of(&feed.set, row), &mut targets);
        }
        (targets, predictions)
    }
}
