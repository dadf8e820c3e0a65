//! What a schedule takes from the config: its keys, their values, and where training stands when
//! a rate is asked for.

use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::Parameter;

/// A stretch of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// In steps.
    Steps(u64),
    /// In epochs; a part of one is rounded to whole steps.
    Epochs(f64),
    /// A share of the steps after the warmup, rounded to whole steps: what a key that is left out
    /// means.
    Share(f64),
}

impl Length {
    /// All the steps after the warmup.
    pub const REST: Self = Self::Share(1.0);

    /// In steps, for so many steps an epoch and `total` steps after the warmup.
    pub fn steps(self, steps_per_epoch: u64, total: u64) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => (epochs * steps_per_epoch as f64).round() as u64,
            Self::Share(share) => (share * total as f64).round() as u64,
        }
    }
}

/// A key of a schedule.
#[derive(Debug, Clone, Copy)]
pub enum ScheduleKey {
    /// A number. One named `minimum` is a rate, and at most the learning rate.
    Number(Parameter),
    /// A whole number, 0 or more.
    Whole {
        /// Its name.
        name: &'static str,
        /// Its default.
        default: u64,
        /// What it is.
        description: &'static str,
    },
    /// `true` or `false`.
    Flag {
        /// Its name.
        name: &'static str,
        /// Its default in PyTorch's convention.
        torch: bool,
        /// Its default in Keras' convention.
        keras: bool,
        /// What it is.
        description: &'static str,
    },
    /// One of several names.
    Choice {
        /// Its name.
        name: &'static str,
        /// The names to choose from.
        names: &'static [&'static str],
        /// Index of its default in PyTorch's convention.
        torch: usize,
        /// Index of its default in Keras' convention.
        keras: usize,
        /// What it is.
        description: &'static str,
    },
    /// A stretch of training above 0, in steps or in epochs.
    Length {
        /// The key that gives it in steps.
        steps: &'static str,
        /// The key that gives it in epochs.
        epochs: &'static str,
        /// Its default.
        default: Length,
        /// What it is.
        description: &'static str,
    },
    /// Points of training, rising, in steps or in epochs.
    Points {
        /// The key that gives them in steps.
        steps: &'static str,
        /// The key that gives them in epochs.
        epochs: &'static str,
        /// Their default.
        default: &'static [Length],
        /// What they are.
        description: &'static str,
    },
    /// A list of learning rates, one more than the row's points.
    Rates {
        /// Its name.
        name: &'static str,
        /// Its default, as multiples of the base rate.
        default: &'static [f64],
        /// What it is.
        description: &'static str,
    },
    /// What is watched: `loss` or a metric, of the validation set with `val_` before it.
    Monitor,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`ScheduleKey::Number`].
    Number(f64),
    /// Of [`ScheduleKey::Whole`].
    Whole(u64),
    /// Of [`ScheduleKey::Flag`].
    Flag(bool),
    /// Of [`ScheduleKey::Choice`]: the name's index.
    Choice(usize),
    /// Of [`ScheduleKey::Length`].
    Length(Length),
    /// Of [`ScheduleKey::Points`].
    Points(Vec<Length>),
    /// Of [`ScheduleKey::Rates`].
    Rates(Vec<f64>),
    /// Of [`ScheduleKey::Monitor`].
    Monitor(String),
}

impl ScheduleKey {
    /// The value that a key has when the config leaves it out; `base` is the learning rate.
    pub fn default(&self, convention: Convention, base: f64, has_validation: bool) -> Value {
        let keras = convention == Convention::Keras;
        match self {
            Self::Number(parameter) => Value::Number(parameter.default(convention)),
            Self::Whole { default, .. } => Value::Whole(*default),
            Self::Flag { torch, keras: of_keras, .. } => {
                Value::Flag(if keras { *of_keras } else { *torch })
            }
            Self::Choice { torch, keras: of_keras, .. } => {
                Value::Choice(if keras { *of_keras } else { *torch })
            }
            Self::Length { default, .. } => Value::Length(*default),
            Self::Points { default, .. } => Value::Points(default.to_vec()),
            Self::Rates { default, .. } => {
                Value::Rates(default.iter().map(|factor| base * factor).collect())
            }
            Self::Monitor => {
                Value::Monitor(if has_validation { "val_loss" } else { "loss" }.to_owned())
            }
        }
    }
}

/// Where training stands, and the values of the row's keys. The accessors take a key's index in
/// the row; the table's tests hold every row to asking for what it has.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// Base learning rate.
    pub base: f64,
    /// Step, from 0, counted from the end of the warmup (from the start, where the warmup is the
    /// row's own).
    pub step: u64,
    /// Steps in all, counted likewise.
    pub total: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Steps of the warmup.
    pub warmup: u64,
    pub(super) values: &'a [Value],
}

impl<'a> At<'a> {
    pub(super) fn number(&self, key: usize) -> f64 {
        match self.values.get(key) {
            Some(Value::Number(number)) => *number,
            _ => f64::NAN,
        }
    }

    pub(super) fn whole(&self, key: usize) -> u64 {
        match self.values.get(key) {
            Some(Value::Whole(whole)) => *whole,
            _ => 0,
        }
    }

    pub(super) fn flag(&self, key: usize) -> bool {
        matches!(self.values.get(key), Some(Value::Flag(true)))
    }

    pub(super) fn choice(&self, key: usize) -> usize {
        match self.values.get(key) {
            Some(Value::Choice(index)) => *index,
            _ => 0,
        }
    }

    pub(super) fn text(&self, key: usize) -> &'a str {
        match self.values.get(key) {
            Some(Value::Monitor(name)) => name,
            _ => "",
        }
    }

    fn in_steps(&self, length: Length) -> u64 {
        length.steps(self.steps_per_epoch, self.total)
    }

    /// A length in steps, 1 at least.
    pub(super) fn steps(&self, key: usize) -> u64 {
        match self.values.get(key) {
            Some(Value::Length(length)) => self.in_steps(*length).max(1),
            _ => 1,
        }
    }

    /// The points in steps.
    pub(super) fn points(&self, key: usize) -> impl Iterator<Item = u64> {
        let points: &'a [Length] = match self.values.get(key) {
            Some(Value::Points(points)) => points,
            _ => &[],
        };
        let at = *self;
        points.iter().map(move |point| at.in_steps(*point))
    }

    pub(super) fn rates(&self, key: usize) -> &'a [f64] {
        match self.values.get(key) {
            Some(Value::Rates(rates)) => rates,
            _ => &[],
        }
    }

    /// Share of a length that is done, in [0, 1]; 1 at its end and after it.
    pub(super) fn share_of(&self, key: usize) -> f64 {
        let length = match self.values.get(key) {
            Some(Value::Length(length)) => self.in_steps(*length),
            _ => 0,
        };
        if self.step >= length { 1.0 } else { self.step as f64 / length as f64 }
    }
}

/// The key of a length that ends the schedule.
pub(super) const LENGTH: ScheduleKey = ScheduleKey::Length {
    steps: "length_steps",
    epochs: "length_epochs",
    default: Length::REST,
    description: "how long the schedule runs, after the warmup; left out, to the run's end",
};

/// The key of the rate that a schedule falls to.
pub(super) const MINIMUM: Parameter = Parameter::new(
    "minimum",
    0.0,
    crate::catalog::parameter::Range::NotNegative,
    "the lowest rate, from 0 to the learning rate",
);
