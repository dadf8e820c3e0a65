//! What the weights kept do on rows that they were not trained on, row by row: where they are wrong and
//! by how much, how far their probabilities can be believed, which columns they go by.
//!
//! An [`Analysis`] is plain data that a run keeps as `analysis.json`; nothing of it needs the data again.

mod classes;
pub(crate) mod columns;
mod errors;
mod examples;
mod importance;
pub(crate) mod subject;

use serde::{Deserialize, Serialize};

pub use classes::{Calibration, Classes, Confusion, Ranking, ReliabilityBin};
pub use errors::{TargetErrors, Truth};
pub use examples::{Example, Examples};
pub use importance::{Importance, ImportantColumn};
pub use subject::Subject;

use crate::backend::Backend;
use crate::catalog::metric::METRICS;
use crate::config::data::Task;
use crate::error::Result;
use crate::model::{Model, RowOutputs};

/// Members that are analysed at most: the first ones.
pub const MEMBERS: usize = 16;

/// What the weights kept do on one set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The set: `test`, `validation` or `train`.
    pub set: String,
    /// Rows that were looked at.
    pub rows: usize,
    /// Rows of the set.
    pub rows_of_set: usize,
    /// The task.
    pub task: Task,
    /// Members that were looked at: those of the first [`MEMBERS`] whose outputs are all numbers.
    pub members: Vec<usize>,
    /// Metrics that need every row's outputs.
    pub metrics: Vec<Metric>,
    /// Of classes or labels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub classes: Option<Classes>,
    /// Of each regression target.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<TargetErrors>,
    /// The rows with the largest loss.
    pub examples: Examples,
    /// What each column matters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub importance: Option<Importance>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name in the catalogue.
    pub name: String,
    /// Its value for each member that was looked at; none where it is no number.
    pub values: Vec<Option<f64>>,
}

/// A finite number, or none: JSON has no others.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The mean over numbers and their deviation, that of the population.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    (mean, square.sqrt())
}

/// Looks at what the model does on the subject's rows.
///
/// # Errors
/// Those of the backend.
pub fn analyse(model: &Model, subject: Subject, backend: &dyn Backend) -> Result<Analysis> {
    let mut outputs = model.row_outputs(subject.rows.clone(), MEMBERS, backend)?;
    let sound: Vec<usize> = (0..outputs.members.len())
        .filter(|member| outputs.outputs(&outputs.members[*member]).is_sound())
        .collect();
    let mut member = 0;
    outputs.members.retain(|_| {
        member += 1;
        sound.contains(&(member - 1))
    });
    let task = outputs.task;
    let sound_rows = !outputs.members.is_empty();
    let classed = sound_rows && task != Task::Regression;
    let importance = match sound_rows {
        true => importance::importance(model, &subject.rows, backend)?,
        false => None,
    };
    let examples = examples::examples(model, &subject, &outputs, importance.as_ref());
    Ok(Analysis {
        set: subject.set.to_owned(),
        rows: subject.rows.rows,
        rows_of_set: subject.rows_of_set,
        task,
        metrics: metrics(&outputs),
        classes: classed.then(|| classes::classes(&outputs, model.preprocessing.classes())),
        errors: match task {
            Task::Regression => errors::errors(&outputs, model.preprocessing.target_names()),
            _ => Vec::new(),
        },
        examples,
        importance,
        members: sound,
    })
}

fn metrics(outputs: &RowOutputs) -> Vec<Metric> {
    let of_task = METRICS.iter().filter(|row| row.tasks.contains(&outputs.task));
    of_task
        .filter(|row| row.term(outputs.task).is_none() && !outputs.members.is_empty())
        .map(|row| Metric {
            name: row.name.to_owned(),
            values: outputs
                .members
                .iter()
                .map(|member| row.of_outputs(&outputs.outputs(member)).and_then(finite))
                .collect(),
        })
        .collect()
}
