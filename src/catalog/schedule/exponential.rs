//! Falls by a factor every period, in a curve or in stairs: rate(s) = base factor^p,
//! p = s / period, rounded down when `staircase` is on.
//!
//! Sources: PyTorch's `ExponentialLR`, which is stepped once an epoch (so a staircase whose period
//! is an epoch), and Keras' `ExponentialDecay` (`decay_steps` is the period, `decay_rate` the
//! factor), a curve unless its `staircase` is on. Neither has a default for the factor: PyTorch's
//! and Keras' examples use 0.95 and 0.96.

use super::ScheduleRow;
use super::keys::{At, Length, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const FACTOR: usize = 0;
const PERIOD: usize = 1;
const STAIRCASE: usize = 2;

/// The keys `period_steps`, `period_epochs`, of an epoch.
pub(super) const EPOCH: ScheduleKey = ScheduleKey::Length {
    steps: "period_steps",
    epochs: "period_epochs",
    default: Length::Epochs(1.0),
    description: "how long the rate takes to fall once; left out, an epoch",
};

/// The key `staircase`.
pub(super) const STAIRS: ScheduleKey = ScheduleKey::Flag {
    name: "staircase",
    torch: true,
    keras: false,
    description: "whether the rate stays the same within a period; \
                  true in the torch convention, false in keras'",
};

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "exponential",
    page: include_str!("exponential.rs"),
    formula: "learning_rate factor^(step / period)",
    keys: &[
        ScheduleKey::Number(
            Parameter::new(
                "factor",
                0.95,
                Range::Positive,
                "what the rate is multiplied by in every period, above 0",
            )
            .keras(0.96),
        ),
        EPOCH,
        STAIRS,
    ],
    rate,
    ..ScheduleRow::PLAIN
};

/// Periods that are done: whole ones alone when `staircase` is on.
pub(super) fn periods(at: &At, period: usize, staircase: usize) -> f64 {
    let period = at.steps(period);
    if at.flag(staircase) { (at.step / period) as f64 } else { at.step as f64 / period as f64 }
}

fn rate(at: &At) -> f64 {
    at.base * libm::pow(at.number(FACTOR), periods(at, PERIOD, STAIRCASE))
}
