//! The base rate at every step: rate(s) = base.

use super::ScheduleRow;
use super::keys::At;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "constant",
    page: include_str!("constant.rs"),
    formula: "learning_rate",
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    at.base
}
