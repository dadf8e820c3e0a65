//! Half a cosine again and again, each `period_factor` times as long as the one before and from a
//! peak `peak_factor` times as high: in the n-th (from 0), of which the share d is done,
//! rate = minimum + (base - minimum) peak_factor^n (1 + cos(pi d)) / 2.
//!
//! Sources: Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts";
//! PyTorch's `CosineAnnealingWarmRestarts` (`T_0` is the period, `T_mult` its factor, 1 by
//! default; `eta_min`); Keras' `CosineDecayRestarts` (`first_decay_steps`, `t_mul`, 2 by default;
//! `m_mul`; `alpha` is minimum / base). Neither has a default for the period.

use super::ScheduleRow;
use super::cosine::half_cosine;
use super::keys::{At, Length, MINIMUM, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const LOWEST: usize = 0;
const PERIOD: usize = 1;
const PERIOD_FACTOR: usize = 2;
const PEAK_FACTOR: usize = 3;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "cosine_restarts",
    page: include_str!("cosine_restarts.rs"),
    formula: "minimum + (learning_rate - minimum) peak_factor^restarts (1 + cos(pi done)) / 2",
    keys: &[
        ScheduleKey::Number(MINIMUM),
        ScheduleKey::Length {
            steps: "period_steps",
            epochs: "period_epochs",
            default: Length::Epochs(10.0),
            description: "how long the first half cosine is; left out, 10 epochs",
        },
        ScheduleKey::Number(
            Parameter::new(
                "period_factor",
                1.0,
                Range::FromOne,
                "how much longer each period is than the one before, 1 or more; \
                 1 in the torch convention, 2 in keras'",
            )
            .keras(2.0),
        ),
        ScheduleKey::Number(Parameter::new(
            "peak_factor",
            1.0,
            Range::PositiveShare,
            "how high each peak is beside the one before, in (0, 1]",
        )),
    ],
    rate,
    ..ScheduleRow::PLAIN
};

/// The period (from 0) that a time is in, and the share of it that is done; both times are
/// counted in first periods, the n-th of which begins at (factor^n - 1) / (factor - 1).
fn place(time: f64, factor: f64) -> (f64, f64) {
    // So near to 1 the sum is lost to rounding, and no run sees the difference.
    if factor - 1.0 < 1e-9 {
        return (time.floor(), time.fract());
    }
    let start = |n: f64| (libm::pow(factor, n) - 1.0) / (factor - 1.0);
    // The logarithm is near; a step that is itself a restart must not fall short of it.
    let mut n = (libm::log(1.0 + time * (factor - 1.0)) / libm::log(factor)).floor();
    while n > 0.0 && start(n) > time {
        n -= 1.0;
    }
    while start(n + 1.0) <= time {
        n += 1.0;
    }
    (n, (time - start(n)) / libm::pow(factor, n))
}

fn rate(at: &At) -> f64 {
    let time = at.step as f64 / at.steps(PERIOD) as f64;
    let (restarts, done) = place(time, at.number(PERIOD_FACTOR));
    let minimum = at.number(LOWEST);
    let peak = minimum + (at.base - minimum) * libm::pow(at.number(PEAK_FACTOR), restarts);
    half_cosine(peak, minimum, done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_begins_at_its_own_step() {
        for period in [1_u64, 3, 7, 10] {
            for factor in [1_u64, 2, 3, 5] {
                let (mut begin, mut length) = (0, period);
                for restarts in 0..12 {
                    let time = begin as f64 / period as f64;
                    assert_eq!(place(time, factor as f64), (f64::from(restarts), 0.0));
                    begin += length;
                    length *= factor;
                }
            }
        }
    }
}
