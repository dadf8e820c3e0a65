//! Falls to `minimum` as a power: rate(s) = minimum + (base - minimum) (1 - s / T)^power, then
//! `minimum`. With `cycle`, T is its first multiple that is not below s, so that the rate rises
//! again each time it has fallen.
//!
//! Sources: Keras' `PolynomialDecay` (`decay_steps` is T, `end_learning_rate` is `minimum`, 1e-4
//! by default) and PyTorch's `PolynomialLR` (`total_iters` is T; it falls to 0). T is the rest of
//! the run when it is left out.

use super::ScheduleRow;
use super::keys::{At, LENGTH, MINIMUM, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const POWER: usize = 0;
const LOWEST: usize = 1;
const T: usize = 2;
const CYCLE: usize = 3;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "polynomial",
    page: include_str!("polynomial.rs"),
    formula: "minimum + (learning_rate - minimum) (1 - step / length)^power",
    keys: &[
        ScheduleKey::Number(Parameter::new(
            "power",
            1.0,
            Range::Positive,
            "the exponent, above 0; 1 is a straight line",
        )),
        ScheduleKey::Number(MINIMUM.keras(1e-4)),
        LENGTH,
        ScheduleKey::Flag {
            name: "cycle",
            torch: false,
            keras: false,
            description: "whether the rate rises again after it has fallen",
        },
    ],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let done = if at.flag(CYCLE) {
        let length = at.steps(T);
        let cycles = at.step.div_ceil(length).max(1);
        at.step as f64 / length.saturating_mul(cycles) as f64
    } else {
        at.share_of(T)
    };
    let minimum = at.number(LOWEST);
    minimum + (at.base - minimum) * libm::pow(1.0 - done, at.number(POWER))
}
