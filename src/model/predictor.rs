//! Predicting rows as they come: the model is loaded once, and rows go through it in blocks.

use std::sync::Arc;

use super::{Model, Predictions};
use crate::backend::{Backend, Executor};
use crate::config::data::Task;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::program::{MemberState, PassKind};
use crate::train::{Feed, Interpreter, Logits};

/// Bytes of the rows that are handed to a device at once.
const BLOCK_BYTES: usize = 16 << 20;
/// The most rows of a block.
const MOST_ROWS: usize = 1 << 16;

/// A model, loaded on a device to predict.
pub struct Predictor {
    executor: Box<dyn Executor>,
    feed: Feed,
    interpreter: Interpreter,
    logits: Logits,
    members: usize,
    /// Whether the members' spread is wanted.
    spreads: bool,
    inputs: usize,
    /// Values of a prediction.
    width: usize,
    /// Rows of a block.
    rows: usize,
}

impl Predictor {
    /// The same with the spread of several members: a little more work for each row.
    #[must_use]
    pub fn with_spread(self) -> Self {
        Self { spreads: self.members > 1, ..self }
    }

    /// Rows that go through at once.
    pub fn rows_at_once(&self) -> usize {
        self.rows
    }

    /// Predicts encoded rows, however many.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn predict(&mut self, features: &[f32]) -> Result<Predictions> {
        let count = features.len() / self.inputs;
        let mut all = Predictions { rows: count, width: self.width, ..Predictions::default() };
        all.values.reserve_exact(count * self.width);
        for block in features.chunks(self.rows * self.inputs) {
            let rows = block.len() / self.inputs;
            // What a block lacks of being full is never looked at.
            let lacking = std::iter::repeat_n(0.0, self.rows * self.inputs - block.len());
            let full: Arc<[f32]> = block.iter().copied().chain(lacking).collect();
            self.feed.replace_features(self.executor.as_mut(), &full)?;
            // Each block begins with the first step of the pass.
            let start = vec![MemberState::START; self.members];
            self.executor.write_state(self.feed.state()?, &start)?;
            self.predict_block(rows, &mut all)?;
        }
        Ok(all)
    }

    fn predict_block(&mut self, rows: usize, all: &mut Predictions) -> Result<()> {
        let Self { executor, feed, interpreter, logits, members, spreads, width, .. } = self;
        let (logits, members) = (*logits, *members);
        let has_classes = interpreter.task != Task::Regression;
        feed.run_each(rows, executor.as_mut(), &mut |executor, rows| {
            let read = logits.read(executor)?;
            for row in 0..rows {
                let mut mean = vec![0.0; *width];
                let mut said = Vec::with_capacity(members);
                for member in 0..members {
                    let own = interpreter.interpret(logits.row(&read, member, row));
                    for (sum, value) in mean.iter_mut().zip(&own) {
                        *sum += value / members as f64;
                    }
                    said.push(own);
                }
                if *spreads {
                    all.spread.extend((0..*width).map(|at| {
                        let apart = said.iter().map(|own| (own[at] - mean[at]).powi(2));
                        (apart.sum::<f64>() / members as f64).sqrt()
                    }));
                    if has_classes {
                        let own = said.iter().map(|own| entropy(interpreter.task, own));
                        let known = own.sum::<f64>() / members as f64;
                        // Below 0 by rounding alone.
                        let told = entropy(interpreter.task, &mean) - known;
                        all.mutual_information.push(if told < 0.0 { 0.0 } else { told });
                    }
                }
                all.values.extend(mean);
            }
            Ok(())
        })
    }
}

/// The entropy of a row's class, or that of its labels one by one, in nats.
fn entropy(task: Task, probabilities: &[f64]) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { p };
    let of = |p: &f64| if task == Task::Multilabel { term(*p) + term(1.0 - p) } else { term(*p) };
    probabilities.iter().map(of).sum()
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads the model on a device, to predict blocks of rows; `rows` are as many as there will be,
    /// where that is known.
    ///
    /// # Errors
    /// A model that does not fit the device.
    pub fn predictor(&self, backend: &dyn Backend, rows: Option<usize>) -> Result<Predictor> {
        let inputs = self.network.inputs;
        // The device holds a block whole: the next one takes its place.
        let most = usize::try_from(backend.capacity().buffer_bytes).unwrap_or(usize::MAX);
        let block = (BLOCK_BYTES.min(most) / (4 * inputs.max(1))).clamp(1, MOST_ROWS);
        let rows = rows.unwrap_or(block).clamp(1, block);
        let length = rows
            .checked_mul(inputs)
            .ok_or_else(|| Error::internal("a block of rows is too large"))?;
        let empty = Rows { rows, features: vec![0.0; length], ..Rows::default() };
        let (executor, plan, feed) = self.load_pass(empty, PassKind::Predict, backend)?;
        let interpreter = self.interpreter()?;
        Ok(Predictor {
            executor,
            feed,
            logits: Logits::of(&plan, &self.network)?,
            members: self.network.members,
            spreads: false,
            inputs,
            width: interpreter.width(self.network.outputs()),
            interpreter,
            rows,
        })
    }
}
