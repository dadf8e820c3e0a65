//! The whole state of a training, from which it goes on as if nothing had been in between: what an
//! epoch leaves behind that the next one reads, on the device and on the host.
//!
//! Random numbers are counted, not drawn from a state: shuffles, dropout masks and noise follow from
//! seed, epoch and batch. So what is kept are the arenas that a step carries to the next one (weights
//! with running statistics, moments, the running average), the best weights, loss scales, what the
//! host decides by, and how far training is. Within an epoch that was interrupted it is also the log
//! of the batches done, whose scores are the whole epoch's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::batch::{carried_buffers, scales_buffer};
use super::early_stopping::StoppingState;
use super::probe::observed_members;
use super::recovery::{MOST_BYTES, MOST_RESTARTS};
use super::run::Run;
use super::{Observer, StopReason};
use crate::backend::{Backend, ChosenTile, Contained};
use crate::catalog::schedule::reduce_on_plateau::PlateauState;
use crate::config::CheckpointConfig;
use crate::error::{Error, Result};
use crate::program::{BufferId, LossScale, MemberState, NONE};

/// The state of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What the host knows.
    pub state: TrainingState,
    /// What the device holds, by the names of the plan's buffers: `parameters`, `moment0` and so on,
    /// each `[members][stride]`.
    pub arenas: BTreeMap<String, Vec<f32>>,
}

/// What the host knows of a training on its way. A list is over members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// Epochs that have ended.
    pub epoch: usize,
    /// How far the epoch after them is, where it was interrupted.
    pub within: Option<Within>,
    /// Why training has ended; none while it goes on.
    pub stop_reason: Option<StopReason>,
    /// Seconds of training alone.
    pub seconds: f64,
    /// Seconds of looks inside the network.
    pub looking_seconds: f64,
    /// Seconds of the checkpoints before this one.
    pub checkpoint_seconds: f64,
    /// Rows trained on.
    pub samples: f64,
    /// Who still trains, after the last epoch that has ended.
    pub states: Vec<MemberState>,
    /// The optimizer's coefficients of the last step of these epochs.
    pub coefficients: Vec<[f64; 4]>,
    /// The epoch whose weights are kept.
    pub best_epoch: Vec<usize>,
    /// Early stopping; empty where it is off.
    pub early_stopping: Vec<StoppingState>,
    /// Learning rates by `reduce_on_plateau`; empty with another schedule.
    pub plateaus: Vec<PlateauState>,
    /// Loss scales, in f16.
    pub loss_scales: Vec<LossScale>,
    /// How matrix products are cut up.
    pub tiles: Vec<ChosenTile>,
    /// How often training went back to a state before it diverged; the learning rate is halved so often.
    #[serde(default)]
    pub restarts: usize,
}

/// A place within an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// Batches done.
    pub batches: usize,
    /// Each member's state on the device.
    pub states: Vec<MemberState>,
}

/// Numbers in JSON that come back to the last bit: infinities and NaN are texts.
pub(super) mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            Written::Number(*value).serialize(serializer)
        } else {
            Written::Text(value.to_string()).serialize(serializer)
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(value),
            Written::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl TrainingState {
    /// What no training of so many epochs and batches, with members of so many parameters, comes to.
    fn unsound(&self, epochs: usize, batches: usize, stride: usize) -> Option<&'static str> {
        let is_row = |row: u32| row as usize <= batches;
        let is_place = |state: &MemberState| {
            let is_element = state.bad_element == NONE || (state.bad_element as usize) < stride;
            is_row(state.cursor) && is_row(state.backward) && is_element
        };
        let within = self.within.iter().flat_map(|within| &within.states);
        let is_epoch = |epoch: &usize| *epoch <= self.epoch;
        let is_time = |seconds: &f64| seconds.is_finite() && *seconds >= 0.0;
        let stopping = &self.early_stopping;
        let counts = self.plateaus.iter().map(|plateau| plateau.bad_epochs);
        let scale = |scale: &LossScale| [scale.scale, scale.backward];
        let checks = [
            ("epochs", self.epoch <= epochs),
            ("restarts", self.restarts <= MOST_RESTARTS),
            ("states", self.states.iter().chain(within).all(is_place)),
            ("best epochs", self.best_epoch.iter().all(is_epoch)),
            (
                "early stopping",
                stopping
                    .iter()
                    .all(|own| is_epoch(&own.wait) && own.best_epoch.is_none_or(|e| is_epoch(&e))),
            ),
            ("learning rates", counts.into_iter().all(|count| count <= self.epoch as u64)),
            (
                "loss scales",
                self.loss_scales
                    .iter()
                    .flat_map(scale)
                    .all(|scale| scale.is_finite() && scale > 0.0),
            ),
            (
                "times",
                [self.seconds, self.looking_seconds, self.checkpoint_seconds, self.samples]
                    .iter()
                    .all(is_time),
            ),
        ];
        checks.into_iter().find(|(_, is_sound)| !is_sound).map(|(what, _)| what)
    }
}

impl Checkpoint {
    /// Bytes of the arenas.
    pub(super) fn bytes(&self) -> u64 {
        self.arenas.values().map(|values| values.len() as u64 * 4).sum()
    }

    /// Whether a training of so many epochs at most has nothing more to do.
    pub fn is_complete(&self, epochs: usize) -> bool {
        match self.state.stop_reason {
            None => false,
            Some(StopReason::Epochs) => self.state.epoch >= epochs,
            Some(_) => true,
        }
    }
}

/// Checkpoints take at most one such part of the time, however large they are.
const SHARE: f64 = 50.0;

/// When a checkpoint is due.
#[derive(Debug)]
pub(super) struct Rhythm {
    config: CheckpointConfig,
    last: Instant,
    /// Seconds that the last one took.
    took: f64,
}

impl Rhythm {
    pub(super) fn new(config: CheckpointConfig) -> Self {
        Self { config, last: Instant::now(), took: 0.0 }
    }

    /// One was kept, which took so long.
    pub(super) fn kept(&mut self, took: Duration) {
        self.took = took.as_secs_f64();
        self.last = Instant::now();
    }

    /// Whether one is due at the end of an epoch that will be in so many seconds.
    pub(super) fn is_due(&self, epoch: usize, seconds: f64) -> bool {
        let CheckpointConfig { every_epochs, every_seconds, .. } = self.config;
        let since = self.last.elapsed().as_secs_f64() + seconds;
        let rests = every_seconds == 0.0 || since >= every_seconds.max(SHARE * self.took);
        epoch.is_multiple_of(every_epochs) && rests
    }
}

fn wrong(what: &str) -> Error {
    Error::usage(format!("the checkpoint is not of this training: {what} do not fit it"))
        .with_help("train into another folder")
}

impl Run<'_> {
    /// Whether the state between two epochs is small, and the device may be lost.
    pub(super) fn is_worth_remembering(&self, backend: &dyn Backend) -> Result<bool> {
        let kept = self.kept_buffers(None)?;
        let bytes: u64 = kept.iter().map(|(_, _, words)| *words as u64 * 4).sum();
        Ok(backend.can_be_lost() && bytes <= MOST_BYTES)
    }

    /// Makes a checkpoint and hands it over.
    pub(super) fn keep_checkpoint(
        &mut self,
        pace: &mut Rhythm,
        epoch: usize,
        within: Option<Within>,
        stop_reason: Option<StopReason>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let begun = Instant::now();
        let checkpoint = self.checkpoint(epoch, within, stop_reason)?;
        observer.checkpoint(&checkpoint)?;
        pace.kept(begun.elapsed());
        self.checkpoint_seconds += pace.took;
        Ok(())
    }

    /// The state after an epoch, and `within` the one that follows it.
    pub(super) fn checkpoint(
        &mut self,
        epoch: usize,
        within: Option<Within>,
        stop_reason: Option<StopReason>,
    ) -> Result<Checkpoint> {
        let buffers = self.kept_buffers(within.as_ref())?;
        // One at a time, which takes no more memory than the weights that are read at the end.
        let mut read = |id, length| -> Result<Option<Contained>> {
            Ok(self.executor.read(&[(id, length)])?.pop())
        };
        let loss_scales = match scales_buffer(&self.plan) {
            Some(id) => read(id, self.network.members)?.map(Contained::into_scales),
            None => None,
        };
        let mut arenas = BTreeMap::new();
        for (name, id, words) in buffers {
            let values = read(id, words)?.map(Contained::into_reals).unwrap_or_default();
            arenas.insert(name, values.into_iter().map(|value| value as f32).collect());
        }
        // Of an epoch that is under way, those before it.
        let coefficients = if within.is_some() {
            self.coefficients_before.clone()
        } else {
            self.coefficients.clone()
        };
        let state = TrainingState {
            epoch,
            within,
            stop_reason,
            seconds: self.seconds,
            looking_seconds: self.looking_seconds,
            checkpoint_seconds: self.checkpoint_seconds,
            samples: self.samples,
            states: self.states.clone(),
            coefficients,
            best_epoch: self.best_epoch.clone(),
            early_stopping: self.early_stopping.iter().map(|watch| watch.state()).collect(),
            plateaus: self.plateaus.iter().map(|plateau| plateau.state()).collect(),
            loss_scales: loss_scales.unwrap_or_default(),
            tiles: self.executor.tiles().to_vec(),
            restarts: self.restarts,
        };
        Ok(Checkpoint { state, arenas })
    }

    /// The buffers of reals that an epoch, or its first batches, leave to what follows, with their
    /// words.
    fn kept_buffers(&self, within: Option<&Within>) -> Result<Vec<(String, BufferId, usize)>> {
        let accumulates = within.is_some() && self.settings.training.accumulate > 1;
        let mut kept = carried_buffers(&self.plan, accumulates);
        if self.keeps_best() {
            kept.push(("best_parameters", self.best_parameters));
        }
        let words = |id: BufferId| self.plan.buffers[id.0].words as usize;
        let mut kept: Vec<_> =
            kept.into_iter().map(|(name, id)| (name.to_owned(), id, words(id))).collect();
        if let Some(within) = within {
            let members = self.network.members;
            let log = within.batches * members * self.plan.log_width;
            kept.push(("log".to_owned(), self.train.log()?, log));
            if let Some(collected) = self.train.collected()? {
                kept.push(("collected".to_owned(), collected, words(collected)));
            }
            if let Some(before) = self.before_last_step {
                let length = observed_members(&self.network) * self.network.stride;
                kept.push(("before_last_step".to_owned(), before, length));
            }
        }
        Ok(kept)
    }

    /// Goes on from a checkpoint.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let state = &checkpoint.state;
        let members = self.network.members;
        let coefficients = state.coefficients.len();
        if coefficients == 0 || !members.is_multiple_of(coefficients) {
            return Err(wrong("coefficients"));
        }
        let of_each = [
            ("states", state.states.len()),
            ("best epochs", state.best_epoch.len()),
            ("states within the epoch", state.within.as_ref().map_or(members, |w| w.states.len())),
        ];
        for (what, count) in of_each {
            if count != members {
                return Err(wrong(what));
            }
        }
        let scales = scales_buffer(&self.plan);
        let where_any = [
            ("early stopping", self.early_stopping.len(), state.early_stopping.len()),
            ("learning rates", self.plateaus.len(), state.plateaus.len()),
            ("loss scales", scales.map_or(0, |_| members), state.loss_scales.len()),
        ];
        for (what, expected, found) in where_any {
            if expected != found {
                return Err(wrong(what));
            }
        }
        if let Some(Within { batches, states }) = &state.within {
            // A device goes on at these places of its tables.
            let is_past = |member: &MemberState| member.cursor as usize > *batches;
            if *batches > self.train.batches.steps() || states.iter().any(is_past) {
                return Err(wrong("batches"));
            }
        }
        if let Some(what) = state.unsound(
            self.settings.training.epochs,
            self.train.batches.steps(),
            self.network.stride,
        ) {
            return Err(wrong(what));
        }
        self.take_over(checkpoint)
    }

    /// Takes over a state whose lists fit this training.
    pub(super) fn take_over(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let Checkpoint { state, arenas } = checkpoint;
        let scales = scales_buffer(&self.plan);
        let kept = self.kept_buffers(state.within.as_ref())?;
        for (name, id, words) in kept {
            let values = arenas.get(&name).filter(|values| values.len() == words);
            let values = values.ok_or_else(|| wrong(&format!("the {name}")))?;
            let wide: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            self.executor.write_reals(id, &wide)?;
        }
        if let Some(id) = scales {
            self.executor.write_scales(id, &state.loss_scales)?;
        }
        for (watch, state) in self.early_stopping.iter_mut().zip(&state.early_stopping) {
            watch.resume(*state);
        }
        for (plateau, state) in self.plateaus.iter_mut().zip(&state.plateaus) {
            plateau.resume(*state);
        }
        self.rows_before =
            state.within.as_ref().map_or(0.0, |within| self.rows_done(&within.states));
        self.within.clone_from(&state.within);
        self.states.clone_from(&state.states);
        self.best_epoch.clone_from(&state.best_epoch);
        // Once there were those of each fold alone, or of all members together.
        let members = self.network.members;
        self.coefficients = state.coefficients.iter().copied().cycle().take(members).collect();
        self.epochs = state.epoch;
        self.stop_reason = state.stop_reason.unwrap_or(StopReason::Epochs);
        self.seconds = state.seconds;
        self.looking_seconds = state.looking_seconds;
        self.checkpoint_seconds = state.checkpoint_seconds;
        self.samples = state.samples;
        self.restarts = state.restarts;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_has_not_come_back() {
        for best in [0.1, -0.0, 1e-310, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let state = StoppingState { best, best_epoch: None, wait: 2 };
            let text = serde_json::to_string(&state).expect("JSON");
            let back: StoppingState = serde_json::from_str(&text).expect("a state");
            let same = back.best.to_bits() == best.to_bits() || back.best.is_nan() && best.is_nan();
            assert!(same && back.wait == 2, "{best}: {text}");
        }
        assert!(serde_json::from_str::<StoppingState>(r#"{"best":"x","wait":0}"#).is_err());
    }

    #[test]
    fn a_checkpoint_is_due_by_epochs_and_seconds() {
        let due = |every_epochs, every_seconds, took, epoch, seconds| {
            let config = CheckpointConfig { every_epochs, every_seconds, keep: 1 };
            Rhythm { took, ..Rhythm::new(config) }.is_due(epoch, seconds)
        };
        assert!(due(1, 0.0, 9.0, 1, 0.0) && due(3, 0.0, 0.0, 6, 0.0));
        assert!(!due(3, 0.0, 0.0, 7, 0.0));
        assert!(due(1, 30.0, 0.5, 1, 31.0) && !due(1, 30.0, 0.5, 1, 29.0));
        // A large one is written less often.
        assert!(!due(1, 30.0, 2.0, 1, 90.0) && due(1, 30.0, 2.0, 1, 101.0));
    }
}
