//! Falls by a factor every so long: rate(s) = base factor^floor(s / period).
//!
//! Source: PyTorch's `StepLR` (`step_size` is the period, `gamma` the factor). PyTorch's users
//! step it once an epoch: that is a period in epochs here.

use super::ScheduleRow;
use super::keys::{At, Length, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const FACTOR: usize = 0;
const PERIOD: usize = 1;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "step",
    page: include_str!("step.rs"),
    formula: "learning_rate factor^floor(step / period)",
    keys: &[
        ScheduleKey::Number(Parameter::new(
            "factor",
            0.1,
            Range::Positive,
            "what the rate is multiplied by after every period, above 0",
        )),
        ScheduleKey::Length {
            steps: "period_steps",
            epochs: "period_epochs",
            default: Length::Epochs(30.0),
            description: "how long the rate stays; left out, 30 epochs",
        },
    ],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let falls = at.step / at.steps(PERIOD);
    at.base * libm::pow(at.number(FACTOR), falls as f64)
}
