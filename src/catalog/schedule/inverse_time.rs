//! Falls as one over the time: rate(s) = base / (1 + decay_rate p), p = s / period, rounded down
//! when `staircase` is on.
//!
//! Source: Keras' `InverseTimeDecay` (`decay_steps` is the period); the default of `decay_rate` is
//! that of its example.

use super::ScheduleRow;
use super::exponential::{EPOCH, STAIRS, periods};
use super::keys::{At, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const DECAY_RATE: usize = 0;
const PERIOD: usize = 1;
const STAIRCASE: usize = 2;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "inverse_time",
    page: include_str!("inverse_time.rs"),
    formula: "learning_rate / (1 + decay_rate step / period)",
    keys: &[
        ScheduleKey::Number(Parameter::new(
            "decay_rate",
            0.5,
            Range::NotNegative,
            "what a period adds to the divisor, 0 or more",
        )),
        EPOCH,
        STAIRS,
    ],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    at.base / (1.0 + at.number(DECAY_RATE) * periods(at, PERIOD, STAIRCASE))
}
