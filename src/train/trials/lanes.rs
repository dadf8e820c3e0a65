//! The lanes of a training on their way: who holds which, who leaves, who comes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::{Conductor, Course, Leave, Left, Place, Standing, Trial, TrialEpoch};
use crate::backend::Backend;
use crate::config::{Settings, TaskSettings};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::program::{LossScale, MemberState, NONE};
use crate::train::checkpoint::{Checkpoint, Rhythm, TrainingState};
use crate::train::epoch::Queued;
use crate::train::member::Member;
use crate::train::run::{Run, STOPPED, STOPPED_BY_HOST};
use crate::train::scores::SetScores;
use crate::train::sets::Sets;
use crate::train::starting_weights::starting_arena;
use crate::train::{EpochRecord, Observer, RunAhead};

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

/// Lanes in the order in which they are first taken. A device may give each of its processors a block of
/// members, and idle ones wait for the last; trials that are alike end together. So neighbours in the
/// order lie far apart, and the blocks share out the trials as fairly as taking turns by the sequence of
/// Thue and Morse does: where a grid's keys have two or four values, each half of the lanes has equally
/// many trials of each.
fn scattered(lanes: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lanes).collect();
    order.sort_by_key(|lane| {
        let turn = lane.reverse_bits();
        turn ^ (turn >> 1)
    });
    order
}

/// The lanes of a training on their way.
pub(super) struct Lanes<'a> {
    run: Run<'a>,
    /// Members of a lane.
    width: usize,
    /// The trial in each lane, and the epoch that it leaves at.
    trials: Vec<Option<(usize, usize)>>,
}

impl<'a> Lanes<'a> {
    /// So many lanes, with the conductor's first trials in them.
    pub(super) fn new(
        common: &'a Settings,
        task: &'a TaskSettings,
        sets: &Sets,
        backend: &dyn Backend,
        lanes: usize,
        conductor: &mut dyn Conductor,
    ) -> Result<Self> {
        let mut seats: Vec<Option<Trial>> = (0..lanes).map(|_| None).collect();
        for lane in scattered(lanes) {
            seats[lane] = conductor.next()?;
        }
        let width = common.members / lanes;
        let own = seats.iter().flat_map(|seat| members_of(seat.as_ref(), common, width, 0));
        let own = own.collect();
        let mut run = Run::with_members(common, own, task, sets, backend, RunAhead::Never, false)?;
        let states = seats.iter().flat_map(|seat| {
            let state = if seat.is_some() { MemberState::START } else { STOPPED };
            std::iter::repeat_n(state, width)
        });
        run.states = states.collect();
        let mut made = Self { run, width, trials: vec![None; lanes] };
        made.seat(seats.into_iter().enumerate().collect(), 0)?;
        Ok(made)
    }

    /// The network of one trial.
    pub(super) fn network(&self) -> Network {
        Network { members: self.width, ..self.run.network.clone() }
    }
}

impl Lanes<'_> {
    fn members(&self, lane: usize) -> Range<usize> {
        lane * self.width..(lane + 1) * self.width
    }

    /// The lanes that hold a trial, by its number: what is told of them, and what follows from it, is
    /// the same whichever lanes they hold.
    fn occupied(&self) -> Vec<usize> {
        let mut lanes: Vec<usize> =
            (0..self.trials.len()).filter(|lane| self.trials[*lane].is_some()).collect();
        lanes.sort_by_key(|lane| self.trials[*lane]);
        lanes
    }

    pub(super) fn train(&mut self, conductor: &mut dyn Conductor) -> Result<()> {
        let mut rhythm = self.run.settings.checkpoint.map(Rhythm::new);
        let mut number = 0;
        while self.trials.iter().any(Option::is_some) {
            number += 1;
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
            self.turn_over(number, &record, &finite, conductor)?;
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
        let told: Vec<_> = epochs.iter().map(|own| (own.trial, own.epoch, own.ends)).collect();
        let courses = conductor.epoch(epochs)?;
        let mut leaving = Vec::new();
        for ((lane, (trial, epoch, ends)), course) in occupied.into_iter().zip(told).zip(courses) {
            let of = self.members(lane);
            let settings = &self.run.members[of.start].settings;
            let until = self.trials[lane].map_or(0, |(_, until)| until);
            let has_diverged = |member: usize| {
                let bad = self.run.states[member].bad_step;
                bad != NONE && bad != STOPPED_BY_HOST
            };
            let why = if ends {
                let ended_well = of.clone().any(|member| finite[member]);
                if !ended_well && of.clone().any(has_diverged) {
                    Leave::Diverged
                } else if epoch >= settings.training.epochs {
                    Leave::Epochs
                } else {
                    Leave::EarlyStopping
                }
            } else if course == Course::Stops {
                Leave::Stopped
            } else if epoch >= until {
                Leave::Paused
            } else {
                continue;
            };
            leaving.push((lane, trial, epoch, why));
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
    ) -> Result<(SetScores, Vec<f32>)> {
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
        if given.iter().all(|(_, trial)| trial.is_none()) {
            // Nothing is put into the lanes: no weights come and go.
            for (lane, _) in given {
                let of = self.members(lane);
                let idle = members_of(None, self.run.settings, self.width, number);
                self.run.members[of.clone()].clone_from_slice(&idle);
                self.run.states[of].fill(STOPPED);
                self.trials[lane] = None;
            }
            return self.run.upload_numbers();
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
        self.run.upload_numbers()
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
        for lane in self.occupied() {
            let Some((trial, until)) = self.trials[lane] else { continue };
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

#[cfg(test)]
mod tests {
    use super::scattered;

    #[test]
    fn halves_of_lanes_hold_equally_many_of_each_value() {
        let order = scattered(64);
        let low = |of: &dyn Fn(usize) -> bool| {
            (0..64).filter(|trial| of(*trial) && order[*trial] < 32).count()
        };
        // A grid of two values a key, and one of four.
        for key in 0..6 {
            assert_eq!(low(&|trial| trial >> key & 1 == 1), 16, "key {key}: {order:?}");
        }
        for key in 0..3 {
            for value in 0..4 {
                let count = low(&|trial| trial >> (2 * key) & 3 == value);
                assert_eq!(count, 8, "key {key}, value {value}: {order:?}");
            }
        }
    }

    #[test]
    fn blocks_of_lanes_hold_trials_from_all_over() {
        for lanes in [1, 2, 3, 12, 36, 64, 100] {
            let order = scattered(lanes);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..lanes).collect::<Vec<_>>());
            // Of any half of the trials that follow one another, each half of the lanes has its share.
            for first in 0..lanes.div_ceil(2) {
                let low = order[first..][..lanes / 2].iter().filter(|lane| **lane < lanes / 2);
                let low = low.count();
                assert!(low >= lanes / 8 && low <= lanes / 2 - lanes / 8, "{lanes}: {order:?}");
            }
        }
    }
}
