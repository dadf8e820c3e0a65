//! A rate of its own between one boundary and the next, in place of the base rate:
//! rate(s) = rates\[n\], n the boundaries before s.
//!
//! Source: Keras' `PiecewiseConstantDecay` (`boundaries`, `values`): the step at a boundary still
//! has the rate before it.

use super::ScheduleRow;
use super::keys::{At, Length, ScheduleKey};

const BOUNDARIES: usize = 0;
const RATES: usize = 1;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "piecewise",
    page: include_str!("piecewise.rs"),
    formula: "rates[boundaries before the step]",
    keys: &[
        ScheduleKey::Points {
            steps: "boundaries_steps",
            epochs: "boundaries_epochs",
            default: &[Length::Share(0.5), Length::Share(0.75)],
            description: "the last step of each rate but the last; left out, 1/2 and 3/4 of the run",
        },
        ScheduleKey::Rates {
            name: "rates",
            default: &[1.0, 0.1, 0.01],
            description: "the rates, one more than the boundaries, each 0 or more; \
                          left out, 1, 0.1 and 0.01 of the learning rate",
        },
    ],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let passed = at.points(BOUNDARIES).filter(|boundary| *boundary < at.step).count();
    at.rates(RATES).get(passed).copied().unwrap_or(f64::NAN)
}
