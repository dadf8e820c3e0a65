//! What baselines are fitted and scored on: rows of the sets, copied before the network takes them.

use crate::analysis::subject::gather;
use crate::backend::Capacity;
use crate::catalog::optimizer::Convention;
use crate::config::TaskSettings;
use crate::data::{Dataset, Rows};
use crate::error::{Error, Result};
use crate::program::Precision;
use crate::train::{DeviceSet, Features, Fit, Interpreter, Scorer, Shuffle, WeightedRows};

/// Encoded values of the training rows that are taken at most.
const MOST_TRAINED: usize = 1 << 24;

/// Those of each set held out.
const MOST_SCORED: usize = 1 << 25;

/// Those of each set that are read out of a file.
const MOST_READ: usize = 1 << 22;

/// The host holds every set whole.
const HOST: Capacity =
    Capacity { buffer_bytes: u64::MAX, fuses: false, splits: false, halves: false, queues: false };

/// The rows and the task of baselines.
#[derive(Debug)]
pub struct Job {
    pub(super) task: TaskSettings,
    pub(super) scorer: Scorer,
    pub(super) interpreter: Interpreter,
    /// Inputs of a row; 0 where every column is embedded.
    pub(super) inputs: usize,
    /// Columns whose codes are no numbers for a linear model: embedded ones.
    pub(super) left_out: Vec<String>,
    /// Outputs of the network for a row.
    pub(super) outputs: usize,
    pub(super) train: DeviceSet,
    /// What each row of `train` counts.
    pub(super) weights: Vec<f64>,
    pub(super) validation: Option<DeviceSet>,
    pub(super) test: Option<DeviceSet>,
}

impl Job {
    /// The baselines of a training on that data, the rows that they take copied: of `shares` jobs that
    /// are held at once.
    ///
    /// # Errors
    /// When rows are in a file that cannot be read.
    pub fn of(
        dataset: &Dataset,
        task: &TaskSettings,
        convention: Convention,
        shares: usize,
    ) -> Result<Self> {
        let preprocessing = &dataset.preprocessing;
        let (all, width) = (preprocessing.inputs(), preprocessing.target_width());
        let embedded: Vec<usize> =
            preprocessing.embeddings().iter().map(|table| table.column).collect();
        let inputs = all - embedded.len();
        let some = |rows: &Rows, most: usize| {
            // Rows in a file are read one by one.
            let most = if rows.spill.is_some() { most.min(MOST_READ) } else { most };
            let count = rows.rows.min((most / all.max(1)).max(1));
            let chosen: Vec<usize> = (0..count).map(|at| at * rows.rows / count.max(1)).collect();
            let mut rows = gather(rows, &chosen)?;
            if !embedded.is_empty() {
                let mut at = 0..;
                rows.features.retain(|_| {
                    at.next().is_some_and(|at: usize| embedded.binary_search(&(at % all)).is_err())
                });
            }
            Ok::<_, Error>(rows)
        };
        let set = |name: &str, rows: WeightedRows| {
            let (capacity, precision) = (HOST, Precision::F32);
            let fit = Fit { capacity, precision, largest_batch: 1, shuffle: Shuffle::Never };
            DeviceSet::new(name, rows, inputs, width, fit)
        };
        let train = some(&dataset.train, MOST_TRAINED / shares)?;
        let train = WeightedRows::trained(train, &dataset.class_weights, convention);
        let weights = match train.weights.as_slice() {
            [] => vec![1.0; train.rows.rows],
            weights => weights.iter().map(|weight| f64::from(*weight)).collect(),
        };
        let held_out = |name: &str, rows: &Option<Rows>| {
            let rows = rows.as_ref().map(|rows| some(rows, MOST_SCORED / shares)).transpose()?;
            rows.map(|rows| set(name, rows.into())).transpose()
        };
        let target_scale = preprocessing.target_scale();
        let columns = preprocessing.columns().iter();
        let columns = columns.filter(|column| column.encoding.table().is_some());
        let deviations = target_scale.iter().map(|(_, deviation)| *deviation).collect();
        Ok(Self {
            scorer: Scorer::new(task.task, &task.metrics, width, deviations),
            interpreter: Interpreter { task: task.task, loss: task.loss, target_scale },
            task: task.clone(),
            inputs,
            left_out: columns.map(|column| column.name.clone()).collect(),
            outputs: preprocessing.outputs() * task.loss.row.outputs_per_target(),
            train: set("train", train)?,
            weights,
            validation: held_out("validation", &dataset.validation)?,
            test: held_out("test", &dataset.test)?,
        })
    }

    /// Every set.
    pub(super) fn sets(&self) -> impl Iterator<Item = &DeviceSet> {
        [Some(&self.train), self.validation.as_ref(), self.test.as_ref()].into_iter().flatten()
    }
}

/// The inputs of a row of a set.
pub(super) fn features(set: &DeviceSet, row: usize) -> &[f32] {
    match &set.features {
        Features::Memory(values) => &values[row * set.inputs..(row + 1) * set.inputs],
        // A job's rows were copied into memory.
        Features::File(_) => &[],
    }
}

/// The targets of a row of a set.
pub(super) fn targets(set: &DeviceSet, row: usize) -> &[f32] {
    &set.targets[row * set.target_stride..row * set.target_stride + set.target_width]
}
