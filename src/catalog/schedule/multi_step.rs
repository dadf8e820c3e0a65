//! Falls by a factor at each milestone: rate(s) = base factor^n, n the milestones at or before s.
//!
//! Source: PyTorch's `MultiStepLR` (`milestones`, `gamma`). Its milestones have no default; here
//! they are 1/2 and 3/4 of the run, as in He et al. 2016, "Deep residual learning for image
//! recognition", section 4.2 (32k and 48k of 64k steps).

use super::ScheduleRow;
use super::keys::{At, Length, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const FACTOR: usize = 0;
const MILESTONES: usize = 1;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "multi_step",
    page: include_str!("multi_step.rs"),
    formula: "learning_rate factor^(milestones at or before the step)",
    keys: &[
        ScheduleKey::Number(Parameter::new(
            "factor",
            0.1,
            Range::Positive,
            "what the rate is multiplied by at every milestone, above 0",
        )),
        ScheduleKey::Points {
            steps: "milestones_steps",
            epochs: "milestones_epochs",
            default: &[Length::Share(0.5), Length::Share(0.75)],
            description: "when the rate changes, rising; left out, at 1/2 and 3/4 of the run",
        },
    ],
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let passed = at.points(MILESTONES).filter(|milestone| *milestone <= at.step).count();
    at.base * libm::pow(at.number(FACTOR), passed as f64)
}
