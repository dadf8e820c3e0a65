//! The base rate at every step: rate(s) = base.
//!
//! Source: the plain `lr` of `torch.optim`'s optimizers and `learning_rate` of `keras.optimizers`'.

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
