//! How long a training step of a job takes on a device: the job's shapes, on rows that are made up.
//! Nothing of the job's data is needed, so that other batch sizes and widths can be tried.

use std::time::Instant;

use super::RunAhead;
use super::run::Run;
use crate::backend::Backend;
use crate::catalog::initializer::{self, InitializerSettings};
use crate::config::data::Task;
use crate::config::{Settings, TaskSettings};
use crate::data::{Dataset, HeldOut, Preprocessing, Rows};
use crate::error::{Error, Result};
use crate::program::{Cost, MemberState, NONE};

/// Most bytes of the rows that are made up.
const MOST_BYTES: usize = 64 << 20;

/// Most batches of an epoch of them.
const MOST_BATCHES: usize = 64;

/// Fewest and most repetitions, of which the quickest counts.
const REPETITIONS: std::ops::RangeInclusive<usize> = 3..=25;

/// A step that takes so many times the patience is not warmed up for.
const WARMED_UP: f64 = 8.0;

/// The time of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepTime {
    /// Seconds of a step among many in one go, the host's part included.
    pub seconds: f64,
    /// Rows a second, all members counted.
    pub samples_per_second: f64,
    /// What a step costs.
    pub cost: Cost,
}

/// Measures the training step of the settings on rows of the same kind as those that were
/// preprocessed, for `patience` seconds or so beyond the time to load it.
///
/// # Errors
/// Those of [`super::fit`]; a network that does not fit the device.
pub fn time_step(
    settings: &Settings,
    task: &TaskSettings,
    preprocessing: &Preprocessing,
    backend: &dyn Backend,
    patience: f64,
) -> Result<StepTime> {
    let settings = without_drawing(settings)?;
    let mut task = task.clone();
    task.metrics.clear();
    (task.monitor, task.plateau_monitor) = (None, None);
    let dataset = made_up(&settings, preprocessing);
    let mut run = Run::new(&settings, &task, dataset, backend, RunAhead::Never, false)?;
    run.executor.only_measures();
    let mut epoch = run.prepare_epoch(1);
    for step in &mut epoch.table.steps {
        // Weights that stay as they are cannot diverge, and a step is as long.
        (step.learning_rate, step.weight_decay) = (0.0, 0.0);
    }
    let most = run.train.batches.steps();
    let mut seconds_of = |steps: usize| -> Result<f64> {
        let begun = Instant::now();
        run.queue_batches(&epoch, steps, false, &|_| false)?;
        let state = run.train.state()?;
        let members = run.network.members;
        let read = run.executor.read(&[(state, members)])?;
        let seconds = begun.elapsed().as_secs_f64() / steps as f64;
        let states: Vec<MemberState> = read.into_iter().flat_map(|r| r.into_state()).collect();
        // A member that has stopped is quick.
        if states.iter().any(|state| state.bad_step != NONE || state.bad_element != NONE) {
            return Err(Error::internal("a step on rows that are made up is not finite"));
        }
        Ok(seconds)
    };
    // Warms up, unless a step takes so long that it hardly counts: the first touches all memory, and
    // may take twice as long as those that follow.
    let mut once = seconds_of(1)?;
    if once < WARMED_UP * patience {
        once = once.min(seconds_of(1)?);
    }
    let steps = ((patience / 5.0 / once.max(1e-9)) as usize).clamp(1, most);
    let begun = Instant::now();
    let mut times = Vec::new();
    if once > patience {
        times.push(once);
    }
    while once <= patience
        && times.len() < *REPETITIONS.end()
        && (times.len() < *REPETITIONS.start() || begun.elapsed().as_secs_f64() < patience)
    {
        times.push(seconds_of(steps)?);
        // A step that takes so long needs no second look.
        if begun.elapsed().as_secs_f64() > 2.0 * patience {
            break;
        }
    }
    // What else runs on the machine only adds.
    let seconds = times.into_iter().fold(f64::INFINITY, f64::min);
    let program = run.train.program()?;
    let rows = run.train.batches.batch;
    let calls = &run.plan.programs[program.0].calls;
    Ok(StepTime {
        seconds,
        samples_per_second: (rows * settings.members) as f64 / seconds,
        cost: calls.iter().map(|call| call.cost(rows as u64)).sum(),
    })
}

/// The settings, with weights that are quick to make, and nothing but training.
fn without_drawing(settings: &Settings) -> Result<Settings> {
    let mut settings = settings.clone();
    let row = initializer::find("random_uniform")
        .ok_or_else(|| Error::internal("there is no random_uniform"))?;
    let uniform = || InitializerSettings::new(row, settings.optimizer.convention);
    let of_layers: Vec<_> = settings.model.layers.iter().map(|_| (uniform(), uniform())).collect();
    let of_output = (uniform(), uniform());
    for (layer, (init, bias_init)) in settings.model.layers.iter_mut().zip(of_layers) {
        (layer.init, layer.bias_init) = (init, bias_init);
    }
    (settings.model.output.init, settings.model.output.bias_init) = of_output;
    settings.model.init_from = None;
    settings.early_stopping = None;
    // Rows that are made up are few.
    settings.data.shuffle = false;
    Ok(settings)
}

/// Rows in the shape of the job's: whole batches.
fn made_up(settings: &Settings, preprocessing: &Preprocessing) -> Dataset {
    let (inputs, width) = (preprocessing.inputs(), preprocessing.target_width());
    let batch = settings.training.batch_size;
    let batches = (MOST_BYTES / (batch * inputs * 4).max(1)).clamp(1, MOST_BATCHES);
    let rows = batch * batches;
    let classes = preprocessing.classes().len().max(1);
    let target = |at: usize| match preprocessing.task() {
        Task::Classification if width > 1 => f32::from(u8::from(at % width == at / width % width)),
        Task::Classification => (at % classes) as f32,
        Task::Binary | Task::Multilabel => (at % 2) as f32,
        Task::Regression => (at * 29 % 97) as f32 / 97.0,
    };
    // Numbers of no particular kind: products of zeros may be quicker.
    let mut features: Vec<f32> =
        (0..rows * inputs).map(|i| (i * 37 % 101) as f32 / 101.0 - 0.5).collect();
    for table in preprocessing.embeddings() {
        let codes = features.iter_mut().skip(table.column).step_by(inputs);
        codes.enumerate().for_each(|(row, code)| *code = (row * 37 % table.categories) as f32);
    }
    Dataset {
        train: Rows {
            rows,
            features,
            targets: (0..rows * width).map(target).collect(),
            sample_weights: match preprocessing.weight_column() {
                Some(_) => vec![1.0; rows],
                None => Vec::new(),
            },
            spill: None,
        },
        validation: None,
        test: None,
        held_out: HeldOut::default(),
        preprocessing: preprocessing.clone(),
        folds: None,
        class_weights: Vec::new(),
        hash: String::new(),
        chunk_rows: None,
        notes: Vec::new(),
    }
}
