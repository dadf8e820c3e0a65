//! A straight line from one share of the base rate to another, then the latter:
//! rate(s) = base (start_factor + (end_factor - start_factor) s / T).
//!
//! Source: PyTorch's `LinearLR` (`total_iters` is T), its defaults included: from a third of the
//! base rate to all of it in 5 epochs, stepped once an epoch there and at every step here.

use super::ScheduleRow;
use super::keys::{At, Length, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const START: usize = 0;
const END: usize = 1;
const T: usize = 2;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "linear",
    page: include_str!("linear.rs"),
    formula: "learning_rate (start_factor + (end_factor - start_factor) step / length)",
    keys: &[
        ScheduleKey::Number(Parameter::new(
            "start_factor",
            1.0 / 3.0,
            Range::PositiveShare,
            "share of the learning rate at the first step, in (0, 1]",
        )),
        ScheduleKey::Number(Parameter::new(
            "end_factor",
            1.0,
            Range::Share,
            "share of the learning rate at the end, in [0, 1]",
        )),
        ScheduleKey::Length {
            steps: "length_steps",
            epochs: "length_epochs",
            default: Length::Epochs(5.0),
            description: "how long the line is; left out, 5 epochs",
        },
    ],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let (start, end) = (at.number(START), at.number(END));
    at.base * (start + (end - start) * at.share_of(T))
}
