//! Predicting rows as they come: the model is loaded once, and rows go through it in blocks.

use std::sync::Arc;

use super::{Model, Predictions};
use crate::backend::{Backend, Executor};
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::program::{BufferId, MemberState, PassKind};
use crate::train::{Feed, Interpreter};

/// Bytes of the rows that are handed to a device at once.
const BLOCK_BYTES: usize = 16 << 20;
/// The most rows of a block.
const MOST_ROWS: usize = 1 << 16;

/// A model, loaded on a device to predict.
pub struct Predictor {
    executor: Box<dyn Executor>,
    feed: Feed,
    interpreter: Interpreter,
    logits: BufferId,
    /// Elements of `logits`.
    words: usize,
    members: usize,
    inputs: usize,
    outputs: usize,
    /// Values of a prediction.
    width: usize,
    /// Rows of a block.
    rows: usize,
}

impl Predictor {
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
        let mut values = Vec::with_capacity(count * self.width);
        for block in features.chunks(self.rows * self.inputs) {
            let rows = block.len() / self.inputs;
            // What a block lacks of being full is never looked at.
            let lacking = std::iter::repeat_n(0.0, self.rows * self.inputs - block.len());
            let full: Arc<[f32]> = block.iter().copied().chain(lacking).collect();
            self.feed.replace_features(self.executor.as_mut(), &full)?;
            // Each block begins with the first step of the pass.
            let start = vec![MemberState::START; self.members];
            self.executor.write_state(self.feed.state()?, &start)?;
            self.predict_block(rows, &mut values)?;
        }
        Ok(Predictions { rows: count, width: self.width, values })
    }

    fn predict_block(&mut self, rows: usize, values: &mut Vec<f64>) -> Result<()> {
        let Self { executor, feed, interpreter, logits, words, members, outputs, width, .. } = self;
        let (logits, words, members, outputs) = (*logits, *words, *members, *outputs);
        let stride = words / members;
        feed.run_each(rows, executor.as_mut(), &mut |executor, rows| {
            let read = executor.read(&[(logits, words)])?;
            let read = read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default();
            for row in 0..rows {
                let mut mean = vec![0.0; *width];
                for member in 0..members {
                    let at = member * stride + row * outputs;
                    let said = interpreter.interpret(&read[at..at + outputs]);
                    for (sum, value) in mean.iter_mut().zip(said) {
                        *sum += value / members as f64;
                    }
                }
                values.extend(mean);
            }
            Ok(())
        })
    }
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
        let logits = plan.buffer(&format!("activation.{}", self.network.layers.len() - 1))?;
        let interpreter = self.interpreter()?;
        let outputs = self.network.outputs();
        Ok(Predictor {
            executor,
            feed,
            words: plan.buffers[logits.0].words as usize,
            logits,
            members: self.network.members,
            inputs,
            outputs,
            width: interpreter.width(outputs),
            interpreter,
            rows,
        })
    }
}
