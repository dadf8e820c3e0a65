//! One rise and one long fall of the rate, and the opposite of the momentum. Of T steps, the first
//! phase goes from base / div_factor at step 0 to base at step pct_start T - 1, the second to
//! base / div_factor / final_div_factor at step T - 1; with `three_phase` the second goes back to
//! base / div_factor by step 2 pct_start T - 2, and a third ends it. Each follows half a cosine or
//! a line. The momentum (beta1 of Adam) goes from `max_momentum` to `base_momentum` and back.
//!
//! Sources: Smith and Topin 2018, "Super-convergence"; PyTorch's `OneCycleLR`, its names and
//! defaults (`max_lr` is the base rate, `total_steps` is T, the rest of the run when left out).

use super::ScheduleRow;
use super::cosine::half_cosine;
use super::keys::{At, LENGTH, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const T: usize = 0;
const PCT_START: usize = 1;
const DIV_FACTOR: usize = 2;
const FINAL_DIV_FACTOR: usize = 3;
const ANNEAL: usize = 4;
const THREE_PHASE: usize = 5;
const CYCLE_MOMENTUM: usize = 6;
const BASE_MOMENTUM: usize = 7;
const MAX_MOMENTUM: usize = 8;

const LINEAR: usize = 1;

const fn number(
    name: &'static str,
    default: f64,
    range: Range,
    description: &'static str,
) -> ScheduleKey {
    ScheduleKey::Number(Parameter::new(name, default, range, description))
}

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "one_cycle",
    page: include_str!("one_cycle.rs"),
    formula: "learning_rate / div_factor, up to learning_rate, \
              down to learning_rate / (div_factor final_div_factor)",
    keys: &[
        LENGTH,
        number("pct_start", 0.3, Range::Share, "share of the steps that rise, in [0, 1]"),
        number("div_factor", 25.0, Range::FromOne, "the peak over the first rate, 1 or more"),
        number(
            "final_div_factor",
            1e4,
            Range::FromOne,
            "the first rate over the last one, 1 or more",
        ),
        ScheduleKey::Choice {
            name: "anneal",
            names: &["cos", "linear"],
            torch: 0,
            keras: 0,
            description: "the shape of a phase: half a cosine or a line",
        },
        ScheduleKey::Flag {
            name: "three_phase",
            torch: false,
            keras: false,
            description: "whether the rate falls as long as it rose, and then to the last one",
        },
        ScheduleKey::Flag {
            name: "cycle_momentum",
            torch: true,
            keras: true,
            description: "whether the momentum, or beta1, moves against the rate",
        },
        number("base_momentum", 0.85, Range::BelowOne, "the momentum at the peak, in [0, 1)"),
        number(
            "max_momentum",
            0.95,
            Range::BelowOne,
            "the momentum at the start and the end, in [0, 1)",
        ),
    ],
    rate,
    momentum: Some(momentum),
    ..ScheduleRow::PLAIN
};

/// Goes through `values`, one a phase's end, along the row's phases.
fn anneal(at: &At, start: f64, peak: f64, after: f64, end: f64) -> f64 {
    let steps = at.steps(T) as f64;
    let rise = at.number(PCT_START) * steps;
    let phases = if at.flag(THREE_PHASE) {
        [(rise - 1.0, start, peak), (2.0 * rise - 2.0, peak, after), (steps - 1.0, after, end)]
    } else {
        // A first phase given twice is never reached the second time.
        [(rise - 1.0, start, peak), (rise - 1.0, peak, peak), (steps - 1.0, peak, end)]
    };
    let step = (at.step as f64).min(steps - 1.0);
    let mut begin = 0.0;
    for (i, (last, from, to)) in phases.into_iter().enumerate() {
        if step <= last || i == phases.len() - 1 {
            // A phase of no length is at its end.
            let done = if last > begin { (step - begin) / (last - begin) } else { 1.0 };
            return match at.choice(ANNEAL) {
                LINEAR => (to - from) * done + from,
                _ => half_cosine(from, to, done),
            };
        }
        begin = last;
    }
    end
}

fn rate(at: &At) -> f64 {
    let start = at.base / at.number(DIV_FACTOR);
    anneal(at, start, at.base, start, start / at.number(FINAL_DIV_FACTOR))
}

fn momentum(at: &At) -> Option<f64> {
    let (base, max) = (at.number(BASE_MOMENTUM), at.number(MAX_MOMENTUM));
    at.flag(CYCLE_MOMENTUM).then(|| anneal(at, max, base, max, max))
}
