//! Using a model: predictions and scores of new rows, on any backend.

use std::sync::Arc;

use super::Model;
use crate::backend::{Backend, Executor};
use crate::config::data::Task;
use crate::data::Rows;
use crate::error::Result;
use crate::program::{LayerSettings, MemberState, PassKind, Plan, PlanRequest};
use crate::train::{DeviceSet, Feed, Scorer, Scores, evaluation_batch, terms_of};

/// What a model says of some rows, averaged over its members.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Rows.
    pub rows: usize,
    /// Columns of `values`: classes, or targets.
    pub width: usize,
    /// `[rows, width]`: probabilities of each class, or predictions in the user's units.
    pub values: Vec<f64>,
}

impl Predictions {
    /// The index of the likeliest class of each row.
    pub fn classes(&self) -> Vec<usize> {
        self.values
            .chunks_exact(self.width)
            .map(|row| (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }))
            .collect()
    }
}

impl Model {
    /// Predicts encoded rows.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn predict(&self, rows: Rows, backend: &dyn Backend) -> Result<Predictions> {
        let count = rows.rows;
        let outputs = self.network.outputs();
        let members = self.network.members;
        let width = self.preprocessing.classes().len().max(outputs);
        let mut values = Vec::with_capacity(count * width);
        if count > 0 {
            let (mut executor, plan, feed) = self.load_pass(rows, PassKind::Predict, backend)?;
            let logits = plan.buffer(&format!("activation.{}", self.network.layers.len() - 1))?;
            feed.run_each(executor.as_mut(), &mut |executor, rows| {
                let words = plan.buffers[logits.0].words as usize;
                let read = executor.read(&[(logits, words)])?;
                let read =
                    read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default();
                let stride = words / members;
                for row in 0..rows {
                    let mut mean = vec![0.0; width];
                    for member in 0..members {
                        let at = member * stride + row * outputs;
                        let said = self.interpret(&read[at..at + outputs]);
                        for (sum, value) in mean.iter_mut().zip(said) {
                            *sum += value / members as f64;
                        }
                    }
                    values.extend(mean);
                }
                Ok(())
            })?;
        }
        Ok(Predictions { rows: count, width, values })
    }

    /// Scores encoded rows with targets: each member's loss and metrics.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn evaluate(&self, rows: Rows, backend: &dyn Backend) -> Result<Vec<Scores>> {
        let settings = self.config.validate(std::path::Path::new("."))?;
        let task = settings.fit_task(self.preprocessing.task())?;
        let (mut executor, plan, feed) = self.load_pass(rows, PassKind::Evaluate, backend)?;
        feed.run(executor.as_mut(), &[], &|| false)?;
        let members = self.network.members;
        let length = feed.batches.steps() * members * plan.statistics;
        let read = executor.read(&[(feed.log()?, length)])?;
        let log = read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default();
        let scale =
            self.preprocessing.target_scale().iter().map(|(_, deviation)| *deviation).collect();
        let scorer = Scorer::new(&task.metrics, self.network.outputs(), scale);
        Ok(scorer.scores(&log, plan.statistics, members, &feed.batches, &feed.set))
    }

    /// Loads the model and one pass over the rows.
    fn load_pass(
        &self,
        rows: Rows,
        kind: PassKind,
        backend: &dyn Backend,
    ) -> Result<(Box<dyn Executor>, Plan, Feed)> {
        let settings = self.config.validate(std::path::Path::new("."))?;
        let task = settings.fit_task(self.preprocessing.task())?;
        let members = self.network.members;
        let batch = evaluation_batch(members, 1);
        let width = self.preprocessing.target_width();
        let set = Arc::new(DeviceSet::new(
            "data",
            rows,
            self.network.inputs,
            width,
            backend.capacity(),
            batch,
        ));
        let mut feed = Feed::new(&set, kind, batch, false, members);
        let plan = Plan::new(&PlanRequest {
            network: &self.network,
            loss: task.loss,
            terms: terms_of(&task.metrics),
            target_width: width,
            optimizer: None,
            gradient_statistics: false,
            passes: vec![feed.pass()],
        })?;
        let mut executor = backend.load(&plan)?;
        let wide: Vec<f64> = self.parameters.iter().map(|w| f64::from(*w)).collect();
        executor.write_reals(plan.buffer("parameters")?, &wide)?;
        let layers = vec![LayerSettings::dropout(0.0, [0, 0]); members * self.network.layers.len()];
        executor.write_layers(plan.buffer("layers")?, &layers)?;
        feed.prepare(&plan, executor.as_mut())?;
        executor.write_state(feed.state()?, &vec![MemberState::START; members])?;
        Ok((executor, plan, feed))
    }

    /// Probabilities, or values in the user's units, from one row's outputs.
    fn interpret(&self, outputs: &[f64]) -> Vec<f64> {
        match self.preprocessing.task() {
            Task::Binary => {
                let e = (-outputs[0].abs()).exp();
                let (small, large) = (e / (1.0 + e), 1.0 / (1.0 + e));
                if outputs[0] >= 0.0 { vec![small, large] } else { vec![large, small] }
            }
            Task::Classification => {
                let largest = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let shares: Vec<f64> = outputs.iter().map(|z| (z - largest).exp()).collect();
                let sum: f64 = shares.iter().sum();
                shares.into_iter().map(|share| share / sum).collect()
            }
            Task::Regression => outputs
                .iter()
                .zip(self.preprocessing.target_scale())
                .map(|(output, (mean, deviation))| output * deviation + mean)
                .collect(),
        }
    }
}
