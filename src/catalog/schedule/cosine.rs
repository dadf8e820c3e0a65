//! From the base rate to `minimum` along half a cosine, then `minimum`:
//! rate(s) = minimum + (base - minimum) (1 + cos(pi s / T)) / 2.
//!
//! Sources: Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts",
//! equation 5; PyTorch's `CosineAnnealingLR` (`T_max`, `eta_min`) up to T, after which that rises
//! again; Keras' `CosineDecay` (`decay_steps`; `alpha` is minimum / base).

use std::f64::consts::PI;

use super::ScheduleRow;
use super::keys::{At, LENGTH, MINIMUM, ScheduleKey};

const LOWEST: usize = 0;
const T: usize = 1;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "cosine",
    page: include_str!("cosine.rs"),
    formula: "minimum + (learning_rate - minimum) (1 + cos(pi step / length)) / 2",
    keys: &[ScheduleKey::Number(MINIMUM), LENGTH],
    rate,
    ..ScheduleRow::PLAIN
};

/// From `start` to `end` along half a cosine, of which the share `done` is behind.
pub(super) fn half_cosine(start: f64, end: f64, done: f64) -> f64 {
    end + (start - end) * (1.0 + libm::cos(PI * done)) / 2.0
}

fn rate(at: &At) -> f64 {
    half_cosine(at.base, at.number(LOWEST), at.share_of(T))
}
