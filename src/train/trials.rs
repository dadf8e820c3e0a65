//! Trainings of several configs as one: each lane of a training holds the members of one trial, with
//! settings, random streams and a count of epochs of its own. A trial that has ended leaves its lane to
//! the next one, and no pipeline or buffer is made anew.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checkpoint::{Checkpoint, Rhythm, TrainingState};
use super::epoch::Queued;
use super::member::Member;
use super::observation::LayerObservation;
use super::probe::{MOST_PARAMETERS, Probe, observed_members};
use super::run::{Outline, Run, STOPPED, STOPPED_BY_HOST};
use super::sets::Sets;
use super::starting_weights::starting_arena;
use super::{EpochRecord, Observer, RunAhead, Scores};
use crate::backend::{Backend, Capacity};
use crate::config::{Settings, TaskSettings, WeightSettings};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::program::{LossScale, MemberState, NONE};

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
    /// Those that hold a lane, in the order of the lanes.
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
    /// The trials have trained an epoch, in the order of their lanes; it says which go on.
    fn epoch(&mut self, epochs: &[TrialEpoch], seconds: f64) -> Result<Vec<Course>>;
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
    let mut seats = Vec::with_capacity(lanes);
    for _ in 0..lanes {
        seats.push(conductor.next()?);
    }
    let width = common.members / lanes;
    let own = seats.iter().flat_map(|seat| members_of(seat.as_ref(), common, width, 0)).collect();
    let mut run = Run::with_members(common, own, task, &sets, backend, RunAhead::Never, false)?;
    let states = seats.iter().flat_map(|seat| {
        let state = if seat.is_some() { MemberState::START } else { STOPPED };
        std::iter::repeat_n(state, width)
    });
    run.states = states.collect();
    let mut lanes = Lanes { run, width, trials: vec![None; lanes] };
    let network = Network { members: width, ..lanes.run.network.clone() };
    let given: Vec<_> = seats.into_iter().enumerate().collect();
    lanes.seat(given, 0)?;
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

/// The members of a lane after so many epochs of the training.
fn members_of(trial: Option<&Trial>, common: &Settings, width: usize, epoch: usize) -> Vec<Member> {
    let (settings, done) = match trial {
        Some(trial) => {
            let done = trial.from.as_ref().map_or(0, |from| from.state.epoch);
            (Arc::clone(&trial.settings), done)
        }
        None => (Arc::new(common.clone()), 0),
    };
    let began = epoch as i64 - done as i64;
    let is_idle = trial.is_none();
    let member = |stream| Member { settings: Arc::clone(&settings), stream, began, is_idle };
    (0..width as u32).map(member).collect()
}

/// The lanes of a training on their way.
struct Lanes<'a> {
    run: Run<'a>,
    /// Members of a lane.
    width: usize,
    /// The trial in each lane, and the epoch that it leaves at.
    trials: Vec<Option<(usize, usize)>>,
}

impl Lanes<'_> {
    fn members(&self, lane: usize) -> Range<usize> {
        lane * self.width..(lane + 1) * self.width
    }

    fn occupied(&self) -> Vec<usize> {
        (0..self.trials.len()).filter(|lane| self.trials[*lane].is_some()).collect()
    }

    fn train(&mut self, conductor: &mut dyn Conductor) -> Result<()> {
        let mut rhythm = self.run.settings.checkpoint.map(Rhythm::new);
        let mut number = 0;
        while self.trials.iter().any(Option::is_some) {
            number += 1;
            let begun = Instant::now();
            let Queued { epoch, readback, .. } =
                self.run.queue_epoch(number, &Watch(&*conductor))?;
            let read = self.run.executor.take(readback)?;
            let mut read = self.run.epoch_read(read)?;
            let trained: Vec<bool> =
                self.run.states.iter().map(|state| state.bad_step == NONE).collect();
            self.run.settle(&epoch, &trained, &mut read);
            self.run.samples += self.run.rows_done(&self.run.states);
            let mut record = EpochRecord {
                epoch: number,
                step: 0,
                seconds: 0.0,
                samples_per_second: 0.0,
                learning_rate: self.run.last_rates(&epoch),
                train: self.run.train_scores(&epoch, &read)?,
                validation: read.validation,
                best: vec![false; self.run.network.members],
            };
            for (member, scores) in record.train.iter_mut().enumerate() {
                if self.run.states[member].bad_step != NONE {
                    scores.forget();
                }
            }
            let finite: Vec<bool> =
                self.run.states.iter().map(|state| state.bad_step == NONE).collect();
            self.run.decide(number, &trained, &mut record)?;
            self.run.watch_plateaus(&trained, &record);
            self.end_members(number);
            let seconds = begun.elapsed();
            self.turn_over(number, &record, &finite, seconds, conductor)?;
            let interrupted = conductor.interrupted();
            let due = rhythm.as_ref().is_some_and(|rhythm| rhythm.is_due(number, 0.0));
            if (due || interrupted) && self.trials.iter().any(Option::is_some) {
                let begun = Instant::now();
                let standing = self.standing(number)?;
                conductor.standing(&standing)?;
                if let Some(rhythm) = &mut rhythm {
                    rhythm.kept(begun.elapsed());
                }
            }
            if interrupted {
                break;
            }
        }
        Ok(())
    }

    /// Ends the members whose epochs are all done.
    fn end_members(&mut self, number: usize) {
        for (member, state) in self.run.members.iter().zip(&mut self.run.states) {
            let is_done = member.own_epoch(number) >= member.settings.training.epochs;
            if is_done && state.bad_step == NONE {
                state.bad_step = STOPPED_BY_HOST;
            }
        }
    }

    /// Tells of an epoch; the trials that have ended leave, and others take their lanes.
    fn turn_over(
        &mut self,
        number: usize,
        record: &EpochRecord,
        finite: &[bool],
        seconds: Duration,
        conductor: &mut dyn Conductor,
    ) -> Result<()> {
        let occupied = self.occupied();
        let mut epochs = Vec::with_capacity(occupied.len());
        for lane in &occupied {
            let (of, trial) =
                (self.members(*lane), self.trials[*lane].map_or(0, |(trial, _)| trial));
            epochs.push(TrialEpoch {
                trial,
                epoch: self.run.members[of.start].own_epoch(number),
                learning_rate: record.learning_rate[of.clone()].to_vec(),
                train: record.train[of.clone()].to_vec(),
                validation: record.validation.as_ref().map(|all| all[of.clone()].to_vec()),
                ends: self.run.states[of].iter().all(|state| state.bad_step != NONE),
            });
        }
        let courses = conductor.epoch(&epochs, seconds.as_secs_f64())?;
        let mut leaving = Vec::new();
        for ((lane, epoch), course) in occupied.into_iter().zip(epochs).zip(courses) {
            let of = self.members(lane);
            let settings = &self.run.members[of.start].settings;
            let until = self.trials[lane].map_or(0, |(_, until)| until);
            let has_diverged = |member: usize| {
                let bad = self.run.states[member].bad_step;
                bad != NONE && bad != STOPPED_BY_HOST
            };
            let why = if epoch.ends {
                let ended_well = of.clone().any(|member| finite[member]);
                if !ended_well && of.clone().any(has_diverged) {
                    Leave::Diverged
                } else if epoch.epoch >= settings.training.epochs {
                    Leave::Epochs
                } else {
                    Leave::EarlyStopping
                }
            } else if course == Course::Stops {
                Leave::Stopped
            } else if epoch.epoch >= until {
                Leave::Paused
            } else {
                continue;
            };
            leaving.push((lane, epoch.trial, epoch.epoch, why));
        }
        if leaving.is_empty() {
            return Ok(());
        }
        // Before their kept weights take the place of those that they go on from.
        let pauses = leaving.iter().any(|(.., why)| *why == Leave::Paused);
        let state = pauses.then(|| self.run.checkpoint(number, None, None)).transpose()?;
        let (scores, parameters) = self.score_kept(&leaving)?;
        let stride = self.run.network.stride;
        let mut seats = Vec::with_capacity(leaving.len());
        for (lane, trial, epochs, why) in leaving {
            let of = self.members(lane);
            let state = state.as_ref().filter(|_| why == Leave::Paused);
            conductor.left(Left {
                trial,
                why,
                epochs,
                best_epoch: self.run.best_epoch[of.clone()].to_vec(),
                parameters: parameters[of.start * stride..of.end * stride].to_vec(),
                scores: scores
                    .iter()
                    .map(|(set, scores)| (set.clone(), scores[of.clone()].to_vec()))
                    .collect(),
                state: state.map(|state| state.of_members(of.clone(), epochs)),
            })?;
            seats.push(lane);
        }
        let mut given = Vec::with_capacity(seats.len());
        for lane in seats {
            given.push((lane, conductor.next()?));
        }
        self.seat(given, number)
    }

    /// Scores of the kept weights of lanes on every set, and those weights: of the members of other lanes
    /// both are of no use.
    fn score_kept(
        &mut self,
        leaving: &[(usize, usize, usize, Leave)],
    ) -> Result<(Vec<(String, Vec<Scores>)>, Vec<f32>)> {
        let members = self.run.network.members;
        let mut leaves = vec![false; members];
        for (lane, ..) in leaving {
            leaves[self.members(*lane)].fill(true);
        }
        self.run.put_best_in_place(|member| leaves[member])?;
        let start = leaves.iter().map(|leaves| if *leaves { MemberState::START } else { STOPPED });
        self.run.score_all_sets(&start.collect::<Vec<_>>(), None)
    }

    /// Gives lanes to trials, or leaves them empty, after so many epochs of the training.
    fn seat(&mut self, given: Vec<(usize, Option<Trial>)>, number: usize) -> Result<()> {
        let is_first = number == 0;
        let goes_on = |trial: &Trial| trial.from.is_some();
        if is_first && !given.iter().any(|(_, trial)| trial.as_ref().is_some_and(goes_on)) {
            // They are as the training was made with them.
            for (lane, trial) in given {
                self.trials[lane] = trial.map(|trial| (trial.number, trial.until));
            }
            return Ok(());
        }
        let mut state = self.run.checkpoint(number, None, None)?;
        for (lane, trial) in given {
            let of = self.members(lane);
            let own = members_of(trial.as_ref(), self.run.settings, self.width, number);
            self.run.members[of.clone()].clone_from_slice(&own);
            self.trials[lane] = trial.as_ref().map(|trial| (trial.number, trial.until));
            let fresh = match trial.and_then(|trial| trial.from) {
                Some(from) => from,
                None => self.fresh(&own, &state)?,
            };
            state.put(of.start, &fresh)?;
            if self.trials[lane].is_none() {
                state.state.states[self.members(lane)].fill(STOPPED);
            }
        }
        self.run.take_over(&state)?;
        let (layers, blocks) = (self.run.layer_table(), self.run.block_settings());
        self.run.executor.write_layers(self.run.plan.buffer("layers")?, &layers)?;
        self.run.executor.write_reals(self.run.plan.buffer("block_settings")?, &blocks)
    }

    /// The state of a trial that begins, in the arenas that `like` has.
    fn fresh(&self, own: &[Member], like: &Checkpoint) -> Result<Checkpoint> {
        let (task, stride) = (self.run.task, self.run.network.stride);
        let weights = starting_arena(own, &self.run.network)?;
        let mut arenas = BTreeMap::new();
        for name in like.arenas.keys() {
            let values = match name.strip_prefix("moment").and_then(|i| i.parse::<usize>().ok()) {
                Some(i) => own
                    .iter()
                    .flat_map(|own| std::iter::repeat_n(own.initial_moments()[i] as f32, stride))
                    .collect(),
                None => weights.clone(),
            };
            arenas.insert(name.clone(), values);
        }
        let each = |scale: LossScale| vec![scale; own.len()];
        let state = TrainingState {
            epoch: 0,
            states: vec![MemberState::START; own.len()],
            coefficients: vec![[1.0; 4]; own.len()],
            best_epoch: vec![0; own.len()],
            early_stopping: own
                .iter()
                .filter_map(|own| Some(own.early_stopping(task)?.state()))
                .collect(),
            plateaus: own.iter().filter_map(|own| Some(own.plateau(task)?.state())).collect(),
            loss_scales: match like.state.loss_scales.is_empty() {
                true => Vec::new(),
                false => each(LossScale::START),
            },
            ..like.of_members(0..own.len(), 0).state
        };
        Ok(Checkpoint { state, arenas })
    }

    /// Where the trials stand that hold a lane.
    fn standing(&mut self, number: usize) -> Result<Standing> {
        let all = self.run.checkpoint(number, None, None)?;
        let (mut places, mut parts) = (Vec::new(), Vec::new());
        for (lane, trial) in self.trials.iter().enumerate() {
            let Some((trial, until)) = *trial else { continue };
            let of = self.members(lane);
            let epoch = self.run.members[of.start].own_epoch(number);
            places.push(Place { trial, epoch, until });
            parts.push(all.of_members(of, epoch));
        }
        let state = Checkpoint::side_by_side(&parts);
        let state = state.ok_or_else(|| Error::internal("there is no trial to keep"))?;
        Ok(Standing { places, state })
    }
}

/// Asks a conductor whether to end, and tells it how far an epoch is.
struct Watch<'a>(&'a dyn Conductor);

impl Observer for Watch<'_> {
    fn advanced(&self, _epoch: usize, share: f64) {
        self.0.advanced(share);
    }
}
