//! Going on from the last state that the host has: where a device was lost, on another device of the same
//! adapter or on what stands in for it; where training diverged, with half the learning rate. An observer
//! is told of everything once: what it heard before is trained again in silence, to the same bits where
//! the device is of the same adapter.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use super::observation::Observation;
use super::{Checkpoint, EpochRecord, Observer, Outcome, RestartRecord, StepRecord};
use crate::backend::Backend;
use crate::config::{OnDivergence, Settings};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::program::Precision;

/// A state of at most so many bytes is kept in memory.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// How often a training goes back that diverged.
pub(super) const MOST_RESTARTS: usize = 5;

/// What the learning rate is multiplied by after so many ways back.
pub(super) fn restart_factor(restarts: usize) -> f64 {
    0.5_f64.powi(i32::try_from(restarts).unwrap_or(i32::MAX))
}

/// The device on which a training ended that lost the one it began on.
pub struct Replacement(Box<dyn Backend + Send>);

impl Replacement {
    /// The device.
    pub fn backend(&self) -> &dyn Backend {
        self.0.as_ref()
    }
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replacement").field(self.0.device()).finish()
    }
}

/// Where an attempt begins.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) backend: &'a dyn Backend,
    /// The state that it goes on from.
    pub(super) from: Option<&'a Checkpoint>,
    /// Seconds of training that are on record.
    pub(super) seconds: f64,
    /// Whether it is on another kind of device than before, of which has been told.
    pub(super) stands_in: bool,
}

/// Attempts a training until no device is lost, and until it converges where it may go back. A device that
/// is lost again before there is a new epoch, or does not open again, is left.
pub(super) fn recovering(
    settings: &Settings,
    backend: &dyn Backend,
    from: Option<&Checkpoint>,
    observer: &mut dyn Observer,
    mut attempt: impl FnMut(Start, &mut Relay) -> Result<Outcome>,
) -> Result<Outcome> {
    let returns = settings.training.on_divergence == OnDivergence::Restart;
    let mut relay = Relay::new(observer, returns);
    let mut held: Option<Replacement> = None;
    let mut last: Option<Checkpoint> = None;
    let mut lost_after = None;
    let mut losses = 0;
    let mut stands_in = false;
    loop {
        let device = held.as_ref().map_or(backend, Replacement::backend);
        let state = last.as_ref().or(from);
        let restarts = state.map_or(0, |state| state.state.restarts);
        let start = Start { backend: device, from: state, seconds: relay.seconds, stands_in };
        let lost = match attempt(start, &mut relay) {
            Err(Error::Diverged { epoch, step, problem, .. })
                if returns && restarts < MOST_RESTARTS =>
            {
                let state = relay.last.take();
                let mut state =
                    state.ok_or_else(|| Error::internal("there is no state to go back to"))?;
                state.state.restarts = restarts + 1;
                relay.to.restarted(&RestartRecord {
                    restart: restarts + 1,
                    epoch,
                    step,
                    problem,
                    from_epoch: state.state.epoch,
                    factor: restart_factor(restarts + 1),
                })?;
                relay.begins_again();
                last = Some(state);
                continue;
            }
            Err(Error::DeviceLost { problem, .. }) => problem,
            ended => {
                return ended.map(|outcome| Outcome {
                    device_losses: losses,
                    replacement: held,
                    ..outcome
                });
            }
        };
        losses += 1;
        let again = lost_after.replace(relay.epoch) == Some(relay.epoch);
        let lost = lost.trim_end_matches('.');
        let (next, refused) = replace(settings, device, lost, again)?;
        stands_in |= refused.is_some();
        if let Some(state) = relay.last_state()? {
            last = Some(state);
        }
        let place = match last.as_ref().or(from).map_or(0, |state| state.state.epoch) {
            0 => "begins anew".to_owned(),
            epoch => format!("goes on after epoch {epoch}"),
        };
        let name = &next.device().name;
        let text = match refused {
            None => format!("{lost}; it was opened again, and training {place}"),
            Some(why) => {
                format!("{lost}, {why}; training {place} on {name}, where the last bits may differ")
            }
        };
        relay.to.replaced(next.device(), &text)?;
        relay.begins_again();
        held = Some(Replacement(next));
    }
}

/// What takes the place of a lost device: one of the same adapter, or what stands in for it, and then why.
fn replace(
    settings: &Settings,
    device: &dyn Backend,
    lost: &str,
    again: bool,
) -> Result<(Box<dyn Backend + Send>, Option<String>)> {
    let why = if again {
        "again before training got any further".to_owned()
    } else {
        match device.reopen() {
            Ok(next) => return Ok((next, None)),
            Err(error) => format!("and does not open again ({error})"),
        }
    };
    let next = device.stand_in()?;
    if settings.training.precision == Precision::F16 && !next.capacity().halves {
        return Err(Error::device_lost(format!("{lost}, {why}"))
            .with_help("nothing stands in for it in f16; go on with --resume when it is back"));
    }
    Ok((next, Some(why)))
}

/// Tells an observer what it has not been told yet.
pub(super) struct Relay<'a> {
    to: &'a mut dyn Observer,
    has_begun: bool,
    /// Steps of an epoch.
    epoch_steps: usize,
    warnings: HashSet<String>,
    /// The last step that it was told of.
    step: u64,
    /// The last epoch.
    epoch: usize,
    /// Seconds of training until its end.
    seconds: f64,
    /// The last epoch after which it was told what the network looks like inside.
    observed: Option<usize>,
    /// The last epoch that has ended in this attempt.
    ended: usize,
    /// The epoch that the device was given last.
    given: Cell<usize>,
    /// The last state, where it is small or is kept to go back to.
    last: Option<Checkpoint>,
    /// Whether the observer alone has it.
    is_handed_over: bool,
    /// Whether training may go back.
    returns: bool,
}

impl<'a> Relay<'a> {
    fn new(to: &'a mut dyn Observer, returns: bool) -> Self {
        Self {
            to,
            returns,
            has_begun: false,
            epoch_steps: 0,
            warnings: HashSet::new(),
            step: 0,
            epoch: 0,
            seconds: 0.0,
            observed: None,
            ended: 0,
            given: Cell::new(0),
            last: None,
            is_handed_over: false,
        }
    }

    fn begins_again(&mut self) {
        self.ended = 0;
        self.given.set(0);
    }

    /// The last state of this attempt, as it is in memory or as the observer has it.
    fn last_state(&mut self) -> Result<Option<Checkpoint>> {
        let is_handed_over = std::mem::take(&mut self.is_handed_over);
        match self.last.take() {
            None if is_handed_over => self.to.recall(),
            last => Ok(last),
        }
    }

    /// Keeps a state to go back to.
    pub(super) fn remember(&mut self, state: Checkpoint) {
        self.last = Some(state);
    }

    /// Hands the state that is kept over to the observer.
    pub(super) fn hand_over(&mut self) -> Result<()> {
        match &self.last {
            Some(state) if !self.is_ahead_of(state) => self.to.checkpoint(state),
            _ => Ok(()),
        }
    }

    /// Whether the observer has something on record that comes after a state: an epoch, or steps of the next
    /// one, which are told before it is.
    fn is_ahead_of(&self, state: &Checkpoint) -> bool {
        let step = state.state.epoch.saturating_mul(self.epoch_steps) as u64;
        self.epoch > state.state.epoch || self.step > step
    }
}

impl Observer for Relay<'_> {
    fn begin(&mut self, network: &Network, epochs: usize, epoch_steps: usize) -> Result<()> {
        self.epoch_steps = epoch_steps;
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        self.to.begin(network, epochs, epoch_steps)
    }

    fn step(&mut self, record: &StepRecord) -> Result<()> {
        if record.step <= self.step {
            return Ok(());
        }
        self.step = record.step;
        self.to.step(record)
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.ended = record.epoch;
        if record.epoch <= self.epoch {
            return Ok(());
        }
        (self.epoch, self.seconds) = (record.epoch, record.seconds);
        self.to.epoch(record)
    }

    fn observes(&self) -> bool {
        self.to.observes()
    }

    fn observation(&mut self, observation: &Observation) -> Result<()> {
        if self.observed.is_some_and(|epoch| observation.epoch <= epoch) {
            return Ok(());
        }
        self.observed = Some(observation.epoch);
        self.to.observation(observation)
    }

    fn keeps_checkpoints(&self) -> bool {
        self.to.keeps_checkpoints()
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let is_kept = self.returns || checkpoint.bytes() <= MOST_BYTES;
        self.last = is_kept.then(|| checkpoint.clone());
        if self.is_ahead_of(checkpoint) || !self.to.keeps_checkpoints() {
            return Ok(());
        }
        self.is_handed_over = true;
        self.to.checkpoint(checkpoint)
    }

    fn warn(&mut self, text: &str) -> Result<()> {
        if !self.warnings.insert(text.to_owned()) {
            return Ok(());
        }
        self.to.warn(text)
    }

    fn advanced(&self, epoch: usize, share: f64) {
        self.given.set(epoch);
        self.to.advanced(epoch, share);
    }

    /// Not before the epoch that it was told of last.
    fn stops(&self) -> bool {
        self.ended >= self.epoch && self.to.stops()
    }

    /// Not within an epoch that is on record as a whole: the record would be ahead of the weights.
    fn interrupted(&self) -> bool {
        self.given.get() > self.epoch && self.to.interrupted()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::train::checkpoint::TrainingState;

    /// What came through, `step 12` and so on. It always asks for an end.
    #[derive(Default)]
    struct Told(Vec<String>);

    impl Observer for Told {
        fn step(&mut self, record: &StepRecord) -> Result<()> {
            self.0.push(format!("step {}", record.step));
            Ok(())
        }
        fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
            self.0.push(format!("epoch {}", record.epoch));
            Ok(())
        }
        fn warn(&mut self, text: &str) -> Result<()> {
            self.0.push(text.to_owned());
            Ok(())
        }
        fn keeps_checkpoints(&self) -> bool {
            true
        }
        fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
            self.0.push(format!("checkpoint {}", checkpoint.state.epoch));
            Ok(())
        }
        fn stops(&self) -> bool {
            true
        }
        fn interrupted(&self) -> bool {
            true
        }
    }

    fn step(step: u64) -> StepRecord {
        let none = Vec::new;
        let (learning_rate, loss, grad_norm, penalty) = (none(), none(), none(), none());
        StepRecord { step, epoch: 1, learning_rate, loss, grad_norm, penalty }
    }

    fn epoch(epoch: usize) -> EpochRecord {
        EpochRecord {
            epoch,
            step: 0,
            seconds: 0.0,
            samples_per_second: 0.0,
            learning_rate: Vec::new(),
            train: Vec::new(),
            validation: None,
            best: Vec::new(),
        }
    }

    fn checkpoint(epoch: usize) -> Checkpoint {
        let state = json!({
            "epoch": epoch, "within": null, "stop_reason": null, "seconds": 0.0,
            "looking_seconds": 0.0, "checkpoint_seconds": 0.0, "samples": 0.0, "states": [],
            "coefficients": [], "best_epoch": [], "early_stopping": [], "plateaus": [],
            "loss_scales": [], "tiles": [],
        });
        let state: TrainingState = serde_json::from_value(state).expect("a state");
        Checkpoint { state, arenas: BTreeMap::new() }
    }

    /// Ten steps an epoch: the device is lost after epoch 2 is told, and again within epoch 3.
    #[test]
    fn what_is_on_record_is_not_told_again_nor_overtaken_by_a_checkpoint() {
        let mut told = Told::default();
        let mut relay = Relay::new(&mut told, false);
        relay.epoch_steps = 10;
        let through = |relay: &mut Relay, number: usize, ends: bool| {
            relay.advanced(number, 0.5);
            assert_eq!(relay.interrupted(), number > relay.epoch, "{number}");
            relay.step(&step(number as u64 * 10)).expect("told");
            if ends {
                relay.epoch(&epoch(number)).expect("told");
                assert_eq!(relay.stops(), number >= relay.epoch, "{number}");
                relay.checkpoint(&checkpoint(number)).expect("kept");
            }
        };
        relay.warn("a word").expect("told");
        through(&mut relay, 1, true);
        relay.epoch(&epoch(2)).expect("told");
        relay.begins_again();
        relay.warn("a word").expect("told");
        through(&mut relay, 1, true);
        through(&mut relay, 2, true);
        through(&mut relay, 3, false);
        relay.begins_again();
        // Within an epoch some of whose steps are on record.
        relay.checkpoint(&checkpoint(2)).expect("kept");
        through(&mut relay, 3, true);
        let expected = [
            "a word",
            "step 10",
            "epoch 1",
            "checkpoint 1",
            "epoch 2",
            "step 20",
            "checkpoint 2",
            "step 30",
            "epoch 3",
            "checkpoint 3",
        ];
        assert_eq!(told.0, expected);
    }
}
