//! Four waves from 0 to the base rate and back, each twice as long as the one before: with
//! t = s / T, rate = base (1 - cos(2 pi log2(1 + 15 t))) / 2.
//!
//! Source: Holzmüller, Grinsztajn and Steinwart 2024, "Better by default: strong pre-tuned MLPs
//! and boosted trees on tabular data" (RealMLP). The first step has rate 0.

use std::f64::consts::PI;

use super::ScheduleRow;
use super::keys::{At, LENGTH};

const T: usize = 0;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "coslog4",
    page: include_str!("coslog4.rs"),
    formula: "learning_rate (1 - cos(2 pi log2(1 + 15 t))) / 2, t = step / length",
    keys: &[LENGTH],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let waves = libm::log2(1.0 + 15.0 * at.share_of(T));
    at.base * (1.0 - libm::cos(2.0 * PI * waves)) / 2.0
}
