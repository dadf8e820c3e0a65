//! The loop: epochs, validation, early stopping, the best weights kept on the device.
//!
//! An epoch is a training pass and a validation pass, queued one after the other, and one
//! readback of their logs; the host decides between epochs alone. Where epochs are short and the
//! backend queues, the next epoch is queued before the host decides, and rolled back where it
//! should not have been.

mod ahead;
mod attempt;
#[doc(hidden)]
pub mod batch;
pub mod checkpoint;
mod decision;
#[doc(hidden)]
pub mod device_bench;
mod device_set;
pub mod diagnosis;
mod divergence;
mod early_stopping;
mod ensemble;
mod epoch;
#[doc(hidden)]
pub mod explain;
mod feed;
mod member;
pub mod observation;
mod order;
mod outline;
mod outputs;
mod parts;
mod precision;
mod probe;
#[doc(hidden)]
pub mod quickest;
pub mod range_test;
#[doc(hidden)]
pub mod rates;
mod recovery;
mod run;
mod scores;
mod sets;
mod shares;
mod starting_weights;
#[doc(hidden)]
pub mod step_time;
#[doc(hidden)]
pub mod stepper;
mod steps;
mod tables;
mod trainer;
#[doc(hidden)]
pub mod trials;
mod windows;

pub use ahead::RunAhead;
pub use checkpoint::Checkpoint;
pub use device_set::{DeviceSet, Features, Fit, WeightedRows};
pub use early_stopping::{EarlyStopping, StoppingState, Verdict};
pub use ensemble::{Logits, Tally, tally_together};
pub use feed::Feed;
pub use order::{Draws, EpochOrder, Lookup, Shuffle};
pub use outputs::Interpreter;
pub use recovery::Replacement;
pub use scores::{PassLog, Scorer, Scores, SetOutputs, terms_of};
pub use shares::Shares;
pub use starting_weights::{LayerInitializers, draw};
pub use steps::{Batches, EpochTable, Pace};
pub use trainer::{Event, Trained, Trainer};

use std::fmt;

use crate::backend::{Backend, ChosenTile, Counters, DeviceDescription};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::optimizer::Convention;
use crate::config::{Adapters, OutputActivation, Settings, TaskSettings};
use crate::data::{Dataset, Preprocessing};
use crate::error::{Error, Result};
use crate::network::{LayerShape, Network, Sharing};
use attempt::attempt;
use observation::Observation;
use recovery::{MOST_RESTARTS, recovering};
use sets::Sets;

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All epochs are done.
    Epochs,
    /// Early stopping said so.
    EarlyStopping,
    /// The user interrupted it.
    Interrupted,
    /// Every member that was still training met a number that is not finite.
    Diverged,
}

/// One step, for each member.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Step since the start of training, from 1.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Learning rate of the step.
    pub learning_rate: Vec<f64>,
    /// The batch's mean loss before the step's update, without regularisation.
    pub loss: Vec<f64>,
    /// Norm of the gradient, L1 and L2 terms included.
    pub grad_norm: Vec<f64>,
    /// Regularisation terms before the step's update.
    pub penalty: Vec<f64>,
}

/// One epoch, for each member.
#[derive(Debug, Clone)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps since the start of training.
    pub step: u64,
    /// Seconds of training so far, without pauses for looks inside the network.
    pub seconds: f64,
    /// Rows trained on in a second of this epoch, all members counted.
    pub samples_per_second: f64,
    /// Learning rate of the epoch's last step.
    pub learning_rate: Vec<f64>,
    /// Scores on the training rows, of the weights as they were at each step.
    pub train: Vec<Scores>,
    /// Scores on the validation rows at the epoch's end.
    pub validation: Option<Vec<Scores>>,
    /// Members whose weights of this epoch are the best so far.
    pub best: Vec<bool>,
}

/// A way back from where a training diverged (`training.on_divergence`).
#[derive(Debug, Clone, PartialEq)]
pub struct RestartRecord {
    /// How many there were, with this one.
    pub restart: usize,
    /// The epoch in which it diverged, from 1.
    pub epoch: usize,
    /// The step, from 1.
    pub step: u64,
    /// What was not finite.
    pub problem: String,
    /// The epoch from whose end training goes on; 0 is the beginning.
    pub from_epoch: usize,
    /// What every learning rate is multiplied by from there on.
    pub factor: f64,
}

impl fmt::Display for RestartRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { restart, epoch, step, problem, from_epoch, factor } = self;
        let place = match from_epoch {
            0 => "begins anew".to_owned(),
            from => format!("goes on after epoch {from}"),
        };
        write!(
            f,
            "training diverged in epoch {epoch}, step {step}: {problem}; it {place} with {factor} of \
             the learning rate (restart {restart} of {MOST_RESTARTS})"
        )
    }
}

/// Is told how training goes.
pub trait Observer {
    /// What will be trained, before the first step.
    fn begin(&mut self, _network: &Network, _epochs: usize, _epoch_steps: usize) -> Result<()> {
        Ok(())
    }
    /// A step that is logged (`log.every_steps`).
    fn step(&mut self, _record: &StepRecord) -> Result<()> {
        Ok(())
    }
    /// An epoch.
    fn epoch(&mut self, _record: &EpochRecord) -> Result<()> {
        Ok(())
    }
    /// Whether it wants to be told what the network looks like inside, every
    /// `log.histograms_every` epochs.
    fn observes(&self) -> bool {
        false
    }
    /// What the network looks like inside, where it [`observes`](Self::observes).
    fn observation(&mut self, _observation: &Observation) -> Result<()> {
        Ok(())
    }
    /// Whether it wants checkpoints, as often as the settings say (`checkpoint`), at the training's end
    /// and where that is interrupted.
    fn keeps_checkpoints(&self) -> bool {
        false
    }
    /// A checkpoint, where it [keeps them](Self::keeps_checkpoints). Of all records, those that it was
    /// told so far precede it.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<()> {
        Ok(())
    }
    /// The checkpoint that it was handed last, where it can still give it: one that is large is not kept
    /// in memory beside it.
    fn recall(&mut self) -> Result<Option<Checkpoint>> {
        Ok(None)
    }
    /// Training diverged, and goes on from an earlier state with a smaller learning rate.
    fn restarted(&mut self, record: &RestartRecord) -> Result<()> {
        self.warn(&record.to_string())
    }
    /// A word of warning.
    fn warn(&mut self, _text: &str) -> Result<()> {
        Ok(())
    }
    /// The device was lost, as `text` tells, and training goes on on this one.
    fn replaced(&mut self, _device: &DeviceDescription, text: &str) -> Result<()> {
        self.warn(text)
    }
    /// How much of an epoch's steps, 0 to 1, the device has been given; told while it goes on.
    fn advanced(&self, _epoch: usize, _share: f64) {}
    /// Whether training should end with the epoch that it was told of last.
    fn stops(&self) -> bool {
        false
    }
    /// Whether training should end after this step.
    fn interrupted(&self) -> bool {
        false
    }
}

/// An observer that does nothing.
#[derive(Debug, Default)]
pub struct Silent;
impl Observer for Silent {}

/// What came of a training.
#[derive(Debug)]
pub struct Outcome {
    /// The network.
    pub network: Network,
    /// The weights kept, `[members][stride]`.
    pub parameters: Vec<f32>,
    /// Scores of the weights kept, by set: `train`, and `validation` and `test` where there are any.
    pub scores: Vec<(String, Vec<Scores>)>,
    /// Scores of the weights kept of several members as one model, by set held out of all their training:
    /// `validation` and `test`; empty of one member.
    pub ensemble: Vec<(String, Scores)>,
    /// The epoch whose weights are kept, for each member.
    pub best_epoch: Vec<usize>,
    /// Epochs begun.
    pub epochs: usize,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// Seconds of training alone.
    pub seconds: f64,
    /// Seconds that training paused for looks inside the network; not in `seconds`.
    pub looking_seconds: f64,
    /// Seconds that training paused for checkpoints; not in `seconds`.
    pub checkpoint_seconds: f64,
    /// Rows trained on in a second, all members counted.
    pub samples_per_second: f64,
    /// What the backend made and ran, at the end of training.
    pub counters: Counters,
    /// The same before the first step.
    pub counters_at_start: Counters,
    /// How matrix products were cut up.
    pub tiles: Vec<ChosenTile>,
    /// What ended the training of a single network that diverged after an epoch whose weights
    /// are kept.
    pub failure: Option<Error>,
    /// How often training went back to a state before it diverged.
    pub restarts: usize,
    /// How often a device was lost.
    pub device_losses: usize,
    /// The device on which training ended, where it is not the one that it was given.
    pub replacement: Option<Replacement>,
}

/// The network that the settings and the data ask for.
///
/// # Errors
/// When it is too large to be addressed.
pub fn network_of(settings: &Settings, preprocessing: &Preprocessing) -> Result<Network> {
    let hidden: Vec<LayerShape> = settings
        .model
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| LayerShape {
            slopes: match (layer.activation.row.is_learned(), settings.optimizer.convention) {
                (false, _) => 0,
                (true, Convention::Torch) => 1,
                (true, Convention::Keras) => layer.units,
            },
            normalization: layer.normalization,
            dropout: layer.dropout,
            alpha_dropout: layer.alpha_dropout,
            noise: layer.noise,
            residual: layer.residual,
            max_norm: layer.weights.max_norm,
            sharing: layer.adapters.map(|adapters| sharing(adapters, index)),
            ..LayerShape::new(layer.units, layer.activation)
        })
        .collect();
    let per_target = settings.loss.map_or(1, |loss| loss.row.outputs_per_target());
    let outputs = preprocessing.outputs() * per_target;
    let linear = LayerShape {
        max_norm: settings.model.output.weights.max_norm,
        ..LayerShape::new(outputs, ActivationSettings::linear())
    };
    let output = match settings.model.output.activation {
        OutputActivation::Elements(activation) => LayerShape { activation, ..linear },
        OutputActivation::Rows(row) => LayerShape { row_activation: Some(row), ..linear },
    };
    let (inputs, embeddings) = (preprocessing.inputs(), preprocessing.embeddings());
    let network = Network::embedded(settings.members, inputs, &embeddings, &hidden, output)?;
    // Side by side there may be several networks of as many heads.
    Ok(Network { heads: settings.model.heads.min(settings.members), ..network })
}

/// What heads share of a layer. Of TabM-mini only the first layer tells them apart.
fn sharing(adapters: Adapters, index: usize) -> Sharing {
    match adapters {
        Adapters::Tabm => Sharing { input_adapter: true, output_adapter: true, bias: false },
        Adapters::TabmMini => {
            Sharing { input_adapter: index == 0, output_adapter: false, bias: true }
        }
    }
}

/// Rows of an evaluation batch: large enough to keep a device busy, small enough to stay small.
pub fn evaluation_batch(members: usize, training_batch: usize) -> usize {
    (8192 / members).clamp(64, 1024).max(training_batch)
}

/// Trains. The dataset's rows are moved to the device. Where that is lost, training goes on from the
/// last state on another device of the same adapter, to the same bits as if nothing had been, or else
/// on the CPU; of what it was told of before, the observer is not told again.
///
/// # Errors
/// A network that does not fit the device, starting weights that do not fit the network, a
/// device that fails, a single network that diverges, or an observer's error.
pub fn fit(
    settings: &Settings,
    task: &TaskSettings,
    dataset: Dataset,
    backend: &dyn Backend,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    resume(settings, task, dataset, backend, observer, None)
}

/// [`fit`] from a checkpoint of the same training, where there is one: on the device of that the outcome
/// is the same to the last bit as if nothing had been in between. Epochs may have become more.
///
/// # Errors
/// Those of [`fit`], and a checkpoint of another training.
pub fn resume(
    settings: &Settings,
    task: &TaskSettings,
    dataset: Dataset,
    backend: &dyn Backend,
    observer: &mut dyn Observer,
    checkpoint: Option<&Checkpoint>,
) -> Result<Outcome> {
    let run_ahead = RunAhead::WhereItPays;
    resume_ahead(settings, task, dataset, backend, observer, checkpoint, run_ahead)
}

/// [`fit`], with a say in whether the device runs ahead of the host.
///
/// # Errors
/// Those of [`fit`].
pub fn fit_ahead(
    settings: &Settings,
    task: &TaskSettings,
    dataset: Dataset,
    backend: &dyn Backend,
    observer: &mut dyn Observer,
    run_ahead: RunAhead,
) -> Result<Outcome> {
    resume_ahead(settings, task, dataset, backend, observer, None, run_ahead)
}

/// [`resume`], with a say in whether the device runs ahead of the host.
///
/// # Errors
/// Those of [`resume`].
pub fn resume_ahead(
    settings: &Settings,
    task: &TaskSettings,
    dataset: Dataset,
    backend: &dyn Backend,
    observer: &mut dyn Observer,
    checkpoint: Option<&Checkpoint>,
    run_ahead: RunAhead,
) -> Result<Outcome> {
    if u32::try_from(dataset.train.rows).is_err() {
        return Err(Error::usage(format!("{} training rows are too many", dataset.train.rows))
            .with_help("at most 2^32 - 1 rows can be addressed"));
    }
    let mut sets = Sets::new(settings, dataset, backend)?;
    recovering(settings, backend, checkpoint, observer, |start, relay| {
        match attempt(settings, task, &sets, start, relay, run_ahead) {
            Err(error @ Error::OutOfMemory { .. }) => {
                let Some(less) = sets.in_windows() else { return Err(error) };
                relay.warn(&format!("{}; its rows come and go in windows", first_line(&error)))?;
                sets = less;
                attempt(settings, task, &sets, start, relay, run_ahead)
            }
            other => other,
        }
    })
}

fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
