//! The base rate for a share of the steps, then half a cosine down to `minimum`: with t = s / T,
//! rate = base while t < flat, then
//! minimum + (base - minimum) (1 + cos(pi (t - flat) / (1 - flat))) / 2.
//!
//! Source: Holzmüller, Grinsztajn and Steinwart 2024, "Better by default: strong pre-tuned MLPs
//! and boosted trees on tabular data" (RealMLP), where flat is 1/2 and minimum 0.

use super::ScheduleRow;
use super::cosine::half_cosine;
use super::keys::{At, LENGTH, MINIMUM, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const FLAT: usize = 0;
const LOWEST: usize = 1;
const T: usize = 2;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "flat_cos",
    page: include_str!("flat_cos.rs"),
    formula: "learning_rate while t < flat, then half a cosine to minimum; t = step / length",
    keys: &[
        ScheduleKey::Number(Parameter::new(
            "flat",
            0.5,
            Range::BelowOne,
            "share of the steps at the learning rate, in [0, 1)",
        )),
        ScheduleKey::Number(MINIMUM),
        LENGTH,
    ],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let flat = at.number(FLAT);
    let done = (at.share_of(T) - flat) / (1.0 - flat);
    half_cosine(at.base, at.number(LOWEST), done.max(0.0))
}
