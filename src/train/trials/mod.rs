//! Trainings of several configs as one: each lane of a training holds the members of one trial, with
//! settings, random streams and a count of epochs of its own. A trial that has ended leaves its lane to
//! the next one, and no pipeline or buffer is made anew.

mod lanes;

use std::sync::Arc;

use super::checkpoint::Checkpoint;
use super::member::Member;
use super::observation::LayerObservation;
use super::outline::Outline;
use super::probe::{MOST_PARAMETERS, Probe, observed_members};
use super::run::Run;
use super::sets::Sets;
use super::starting_weights::starting_arena;
use super::{RunAhead, Scores};
use crate::backend::{Backend, Capacity};
use crate::config::{Settings, TaskSettings, WeightSettings};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::Network;
use lanes::Lanes;

/// What a lane is given to train.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Its number, by which the conductor knows it.
    pub number: usize,
    /// Its settings. They agree with those of the other trials in all that shapes the program.
    pub settings: Arc<Settings>,
    /// The state that it goes on from: that of a run of these settings, or of its lane before.
    pub from: Option<Checkpoint>,
    /// The epoch, from 1, at whose end it leaves its lane, where it has not ended before.
    pub until: usize,
}

/// An epoch of a trial, for each of its members.
#[derive(Debug, Clone)]
pub struct TrialEpoch {
    /// The trial.
    pub trial: usize,
    /// The trial's own epoch, from 1.
    pub epoch: usize,
    /// Learning rate of the epoch's last step.
    pub learning_rate: Vec<f64>,
    /// Scores on the training rows, of the weights as they were at each step.
    pub train: Vec<Scores>,
    /// Scores on the validation rows at the epoch's end.
    pub validation: Option<Vec<Scores>>,
    /// Whether it has ended by itself.
    pub ends: bool,
}

/// Whether a trial goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It goes on, unless it has ended.
    GoesOn,
    /// It is stopped here.
    Stops,
}

/// Why a trial has left its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// All its epochs are done.
    Epochs,
    /// Early stopping said so, of every member.
    EarlyStopping,
    /// Every member that was still training met a number that is not finite.
    Diverged,
    /// The conductor stopped it.
    Stopped,
    /// It has come to [`Trial::until`], and may go on.
    Paused,
}

/// What came of a trial in its lane.
#[derive(Debug)]
pub struct Left {
    /// The trial.
    pub trial: usize,
    /// Why it left.
    pub why: Leave,
    /// Epochs that it has trained in all.
    pub epochs: usize,
    /// The epoch, from 1, whose weights are kept, for each member.
    pub best_epoch: Vec<usize>,
    /// The weights kept, `[members][stride]`.
    pub parameters: Vec<f32>,
    /// Scores of the weights kept, by set, for each member: `train`, and `validation` and `test` where
    /// there are any.
    pub scores: Vec<(String, Vec<Scores>)>,
    /// The state from which it goes on, of a trial that is paused.
    pub state: Option<Checkpoint>,
}

/// Where a trial stands in its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The trial.
    pub trial: usize,
    /// Its epochs that have ended.
    pub epoch: usize,
    /// The epoch that it leaves at.
    pub until: usize,
}

/// Where the trials of a training stand, all of them at the end of an epoch.
#[derive(Debug)]
pub struct Standing {
    /// Those that hold a lane, by their numbers.
    pub places: Vec<Place>,
    /// Their states side by side.
    pub state: Checkpoint,
}

impl Standing {
    /// The state of the trial at a place.
    pub fn of(&self, at: usize) -> Checkpoint {
        let width = self.state.state.states.len() / self.places.len().max(1);
        self.state.of_members(at * width..(at + 1) * width, self.places[at].epoch)
    }
}

/// Says which trials are trained, and is told what becomes of them.
pub trait Conductor {
    /// The trial that takes a lane that is free; none leaves it empty.
    fn next(&mut self) -> Result<Option<Trial>>;
    /// The trials have trained an epoch, by their numbers; it says which go on.
    fn epoch(&mut self, epochs: Vec<TrialEpoch>) -> Result<Vec<Course>>;
    /// A trial has left its lane.
    fn left(&mut self, left: Left) -> Result<()>;
    /// Where all stand, as often as checkpoints are due.
    fn standing(&mut self, standing: &Standing) -> Result<()>;
    /// How much of an epoch's steps, 0 to 1, the device has been given.
    fn advanced(&self, _share: f64) {}
    /// Whether training should end with this epoch, all trials as they stand.
    fn interrupted(&self) -> bool {
        false
    }
}

/// What trials share: the settings of the first, with each number that decides what a step is made of as
/// it is where any of them needs it. `members` are those of all lanes.
pub fn common(trials: &[Arc<Settings>], members: usize) -> Result<Settings> {
    let first = trials.first().ok_or_else(|| Error::internal("a group without trials"))?;
    let mut all = Settings::clone(first);
    all.members = members;
    for own in trials {
        for (layer, own) in all.model.layers.iter_mut().zip(&own.model.layers) {
            layer.dropout = layer.dropout.max(own.dropout);
            layer.noise = layer.noise.max(own.noise);
            layer.weights = either(layer.weights, own.weights);
        }
        all.model.output.weights = either(all.model.output.weights, own.model.output.weights);
        let decay = &mut all.optimizer.hyperparameters.weight_decay;
        *decay = decay.max(own.optimizer.hyperparameters.weight_decay);
        all.optimizer.decay_biases &= own.optimizer.decay_biases;
        if let (Some(loss), Some(own)) = (&mut all.loss, own.loss) {
            loss.by_member |= loss.values != own.values;
        }
    }
    Ok(all)
}

/// Penalties and factor as they are where one of two layers has any.
fn either(one: WeightSettings, other: WeightSettings) -> WeightSettings {
    let factor = match one.learning_rate_factor {
        1.0 => other.learning_rate_factor,
        factor => factor,
    };
    WeightSettings {
        l1: one.l1.max(other.l1),
        l2: one.l2.max(other.l2),
        learning_rate_factor: factor,
        ..one
    }
}

/// The data of a group of trials, as a device takes it.
#[derive(Debug)]
pub struct TrialSets(Sets);

/// The memory of a plan, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanBytes {
    /// Of all buffers together.
    pub total: u64,
    /// Of the largest.
    pub largest: u64,
}

impl TrialSets {
    /// Takes a data set.
    ///
    /// # Errors
    /// A network that is too large, and data that does not fit the device.
    pub fn new(common: &Settings, dataset: Dataset, backend: &dyn Backend) -> Result<Self> {
        Sets::new(common, dataset, backend).map(Self)
    }

    /// What training takes with the members that `common` says, however large buffers may be.
    ///
    /// # Errors
    /// A network that is too large to be addressed.
    pub fn bytes(
        &self,
        common: &Settings,
        task: &TaskSettings,
        backend: &dyn Backend,
    ) -> Result<PlanBytes> {
        let own = Member::all_of(common);
        let capacity = Capacity { buffer_bytes: u64::MAX, ..backend.capacity() };
        let sets = self.0.for_members(common.members);
        let outline = Outline::new(common, &own, task, &sets, capacity, RunAhead::Never, false)?;
        let buffers = outline.plan.buffers.iter().filter(|buffer| buffer.part_of.is_none());
        let bytes = buffers.map(|buffer| buffer.words * 4);
        Ok(PlanBytes { total: bytes.clone().sum(), largest: bytes.max().unwrap_or(0) })
    }
}

/// Trains the conductor's trials, `lanes` at once. `common` is what [`common`] makes of all of them, with
/// the members of all lanes; the network that is trained in each lane is returned.
///
/// # Errors
/// Those of [`fit`](super::fit), but that no trial ends the others by diverging; and the conductor's.
pub fn train_trials(
    common: &Settings,
    task: &TaskSettings,
    sets: &TrialSets,
    backend: &dyn Backend,
    lanes: usize,
    conductor: &mut dyn Conductor,
) -> Result<Network> {
    let sets = sets.0.for_members(common.members);
    let mut lanes = Lanes::new(common, task, &sets, backend, lanes, conductor)?;
    let network = lanes.network();
    lanes.train(conductor)?;
    Ok(network)
}

/// What each layer of the trials' networks puts out, and gets back, before the first step, on a batch of
/// training rows; nothing of networks too large to be looked into. `common` has the members of one trial.
///
/// # Errors
/// Those of the starting weights, and of the backend.
pub fn look_at_starts(
    common: &Settings,
    task: &TaskSettings,
    sets: &TrialSets,
    backend: &dyn Backend,
    trials: &[Arc<Settings>],
) -> Result<Vec<Vec<LayerObservation>>> {
    let sets = sets.0.for_members(common.members);
    if sets.network.stride > MOST_PARAMETERS {
        return Ok(Vec::new());
    }
    let own = Member::all_of(common);
    let run = Run::with_members(common, own, task, &sets, backend, RunAhead::Never, false)?;
    let mut probe = Probe::new(&run, backend)?;
    let observed = observed_members(&run.network);
    let look = |settings: &Arc<Settings>| {
        let weights = starting_arena(&Member::all_of(settings), &run.network)?;
        let first = &weights[..observed * run.network.stride];
        probe.look(&first.iter().map(|weight| f64::from(*weight)).collect::<Vec<_>>(), &[])
    };
    trials.iter().map(look).collect()
}
