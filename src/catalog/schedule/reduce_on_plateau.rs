//! Multiplies the rate by `factor` when a watched value has stopped improving; within an epoch the
//! rate is the same. Two forms exist, and the convention decides:
//!
//! | | torch | keras |
//! |---|---|---|
//! | falls when | more than `patience` epochs in a row were bad | `patience` epochs in a row were bad |
//! | improved (smaller is better), rel | value < best (1 - threshold) | the same |
//! | improved (smaller is better), abs | value < best - threshold | value + threshold < best |
//! | `threshold_mode` by default | rel | abs |
//! | `epsilon` by default | 1e-8 | 0 |
//! | in a cooldown of n epochs | the n epochs after a fall are not counted | the n - 1 epochs after it |
//!
//! Larger is better: with the signs turned. A fall smaller than `epsilon` is left out, and no rate
//! is below `minimum`. A value that is not finite never improves (Keras takes a first value as best
//! even then, and both libraries a value that is infinite the right way: nothing improves on it).
//!
//! Sources: PyTorch's `ReduceLROnPlateau` (`min_lr`, `eps`), Keras' `ReduceLROnPlateau`
//! (`min_delta` is `threshold`, `min_lr`).

use serde::{Deserialize, Serialize};

use super::ScheduleRow;
use super::keys::{At, MINIMUM, ScheduleKey};
use crate::catalog::metric::Better;
use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};
use crate::config::Mode;

const MONITOR: usize = 0;
const MODE: usize = 1;
const FACTOR: usize = 2;
const PATIENCE: usize = 3;
const THRESHOLD: usize = 4;
const THRESHOLD_MODE: usize = 5;
const COOLDOWN: usize = 6;
const LOWEST: usize = 7;
const EPSILON: usize = 8;

const RELATIVE: usize = 0;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "reduce_on_plateau",
    page: include_str!("reduce_on_plateau.rs"),
    formula: "learning_rate factor^(times the monitor stopped improving)",
    keys: &[
        ScheduleKey::Monitor,
        ScheduleKey::Choice {
            name: "mode",
            names: &["auto", "min", "max"],
            torch: 0,
            keras: 0,
            description: "whether smaller or larger is better; auto is the monitor's own way",
        },
        ScheduleKey::Number(Parameter::new(
            "factor",
            0.1,
            Range::Between0And1,
            "what the rate is multiplied by, in (0, 1)",
        )),
        ScheduleKey::Whole {
            name: "patience",
            default: 10,
            description: "epochs in a row without improvement that are borne",
        },
        ScheduleKey::Number(Parameter::new(
            "threshold",
            1e-4,
            Range::NotNegative,
            "what a value must be better by, 0 or more",
        )),
        ScheduleKey::Choice {
            name: "threshold_mode",
            names: &["rel", "abs"],
            torch: RELATIVE,
            keras: 1,
            description: "whether the threshold is a share of the best value or in its unit; \
                          rel in the torch convention, abs in keras'",
        },
        ScheduleKey::Whole {
            name: "cooldown",
            default: 0,
            description: "epochs after a fall that are not counted",
        },
        ScheduleKey::Number(MINIMUM),
        ScheduleKey::Number(
            Parameter::new(
                "epsilon",
                1e-8,
                Range::NotNegative,
                "a smaller fall is left out, 0 or more; \
                 1e-8 in the torch convention, 0 in keras'",
            )
            .keras(0.0),
        ),
    ],
    rate: |at| at.base,
    ..ScheduleRow::PLAIN
};

/// The numbers of [`ReduceOnPlateau`].
#[derive(Debug, Clone, PartialEq)]
pub struct PlateauSettings {
    /// Whose form.
    pub convention: Convention,
    /// What is watched, such as `val_loss`.
    pub monitor: String,
    /// Which way is better.
    pub mode: Mode,
    /// What the rate is multiplied by.
    pub factor: f64,
    /// Epochs without improvement that are borne.
    pub patience: u64,
    /// What a value must be better by.
    pub threshold: f64,
    /// Whether the threshold is a share of the best value, rather than in its unit.
    pub relative: bool,
    /// Epochs after a fall that are not counted.
    pub cooldown: u64,
    /// The lowest rate.
    pub minimum: f64,
    /// A smaller fall is left out.
    pub epsilon: f64,
}

impl PlateauSettings {
    pub(super) fn of(at: &At, convention: Convention) -> Self {
        Self {
            convention,
            monitor: at.text(MONITOR).to_owned(),
            mode: [Mode::Auto, Mode::Min, Mode::Max][at.choice(MODE).min(2)],
            factor: at.number(FACTOR),
            patience: at.whole(PATIENCE),
            threshold: at.number(THRESHOLD),
            relative: at.choice(THRESHOLD_MODE) == RELATIVE,
            cooldown: at.whole(COOLDOWN),
            minimum: at.number(LOWEST),
            epsilon: at.number(EPSILON),
        }
    }
}

/// What [`ReduceOnPlateau`] must remember from one epoch to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    /// The rate reached.
    pub rate: f64,
    /// The best value; none before the first that is finite.
    pub best: Option<f64>,
    /// Epochs in a row without improvement.
    pub bad_epochs: u64,
    /// Epochs of the cooldown that are left.
    pub cooldown: u64,
}

/// The course of one member's rate.
#[derive(Debug, Clone)]
pub struct ReduceOnPlateau {
    settings: PlateauSettings,
    better: Better,
    base: f64,
    state: PlateauState,
}

impl ReduceOnPlateau {
    /// Starts at the base rate, watching a value of which `better` tells which way is better.
    pub fn new(settings: PlateauSettings, better: Better, base: f64) -> Self {
        let state = PlateauState { rate: base, best: None, bad_epochs: 0, cooldown: 0 };
        Self { settings, better, base, state }
    }

    /// The state, for a checkpoint.
    pub fn state(&self) -> PlateauState {
        self.state
    }

    /// Goes on from a state.
    pub fn resume(&mut self, state: PlateauState) {
        self.state = state;
    }

    /// The share of the base rate that training has now.
    pub fn factor(&self) -> f64 {
        self.state.rate / self.base
    }

    /// An epoch ended with `value`; gives the share of the base rate for the epochs from here on.
    pub fn end_epoch(&mut self, value: f64) -> f64 {
        match self.settings.convention {
            Convention::Torch => self.end_epoch_as_torch(value),
            Convention::Keras => self.end_epoch_as_keras(value),
        }
        self.factor()
    }

    fn end_epoch_as_torch(&mut self, value: f64) {
        self.note(value);
        if self.state.cooldown > 0 {
            self.state.cooldown -= 1;
            self.state.bad_epochs = 0;
        }
        if self.state.bad_epochs > self.settings.patience {
            self.fall();
            self.state.cooldown = self.settings.cooldown;
            self.state.bad_epochs = 0;
        }
    }

    fn end_epoch_as_keras(&mut self, value: f64) {
        if self.state.cooldown > 0 {
            self.state.cooldown -= 1;
            self.state.bad_epochs = 0;
        }
        let before = self.state.bad_epochs;
        if self.note(value) {
            return;
        }
        if self.state.cooldown > 0 {
            self.state.bad_epochs = before;
        } else if self.state.bad_epochs >= self.settings.patience && self.fall() {
            self.state.cooldown = self.settings.cooldown;
            self.state.bad_epochs = 0;
        }
    }

    /// Counts an epoch; returns whether it improved.
    fn note(&mut self, value: f64) -> bool {
        let improved = match self.state.best {
            Some(best) => value.is_finite() && self.improves(value, best),
            None => value.is_finite(),
        };
        if improved {
            self.state.best = Some(value);
            self.state.bad_epochs = 0;
        } else {
            self.state.bad_epochs += 1;
        }
        improved
    }

    fn improves(&self, value: f64, best: f64) -> bool {
        let by = self.settings.threshold;
        let torch = self.settings.convention == Convention::Torch;
        match (self.better, self.settings.relative) {
            (Better::Smaller, true) => value < best * (1.0 - by),
            (Better::Larger, true) => value > best * (1.0 + by),
            (Better::Smaller, false) if torch => value < best - by,
            (Better::Larger, false) if torch => value > best + by,
            (Better::Smaller, false) => value + by < best,
            (Better::Larger, false) => value - by > best,
        }
    }

    /// Lowers the rate; returns whether it did.
    fn fall(&mut self) -> bool {
        let lower = (self.state.rate * self.settings.factor).max(self.settings.minimum);
        let falls = self.state.rate - lower > self.settings.epsilon;
        if falls {
            self.state.rate = lower;
        }
        falls
    }
}
