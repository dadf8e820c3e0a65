//! How many steps there is time for, and which of them are checked: steps in f64 are slow.

use std::time::Instant;

use super::band::SAMPLES;
use crate::report::duration;

/// The longest stride between two checked steps; where time does not allow that, fewer steps are
/// compared.
const LONGEST_STRIDE: u64 = 16;

/// Fewest steps that are compared, however long they take.
const FEWEST_STEPS: u64 = 2;

/// From these steps on it is known how long one takes: the first one may be slower than others.
const LEARNT_FROM: u64 = 2;

/// The pace of a comparison.
pub(super) struct Pacing {
    /// Steps to compare.
    pub(super) steps: u64,
    /// Why those are fewer than was asked for.
    pub(super) limit: Option<String>,
    asked: u64,
    seconds: f64,
    devices: u64,
    /// Batches of an epoch, of which the last may be short.
    epoch: u64,
    stride: u64,
    begun: Instant,
}

impl Pacing {
    pub(super) fn new(steps: u64, seconds: f64, devices: u64, epoch: u64) -> Self {
        Self {
            asked: steps,
            steps,
            limit: None,
            seconds,
            devices,
            epoch,
            stride: 1,
            begun: Instant::now(),
        }
    }

    /// Whether a step, from 1, is checked.
    pub(super) fn checks(&self, step: u64) -> bool {
        step <= LEARNT_FROM
            || step == self.steps
            || step == self.epoch
            || (step - 1).is_multiple_of(self.stride)
    }

    /// Is told how long one f64 step of the checked step `step` took, beside how many others.
    pub(super) fn learn(&mut self, step: u64, step_seconds: f64, threads: usize) {
        if step > LEARNT_FROM {
            return;
        }
        let seconds = step_seconds / threads as f64;
        let checks = (self.devices * (1 + SAMPLES)) as f64 * seconds;
        let of_stride = |stride: u64| 2.0 * seconds + checks / stride as f64;
        let allowed = self.seconds / self.asked as f64;
        let fitting = (1..=LONGEST_STRIDE).find(|stride| of_stride(*stride) <= allowed);
        self.stride = fitting.unwrap_or(LONGEST_STRIDE);
        let affordable = (self.seconds / of_stride(self.stride)) as u64;
        (self.steps, self.limit) = (self.asked, None);
        if affordable < self.asked {
            self.steps = affordable.max(FEWEST_STEPS).min(self.asked);
            self.limit = Some(format!(
                "a step in f64 takes {}; --seconds gives it more time",
                duration(step_seconds)
            ));
        }
    }

    /// Whether there is no time for another step after so many: a machine has other things to do.
    pub(super) fn is_over(&mut self, taken: u64) -> bool {
        let over = taken >= FEWEST_STEPS
            && taken < self.steps
            && self.begun.elapsed().as_secs_f64() > 1.5 * self.seconds;
        if over {
            self.limit = Some("time was up; --seconds gives it more".to_owned());
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pacing: &Pacing) -> usize {
        (1..=pacing.steps).filter(|step| pacing.checks(*step)).count()
    }

    #[test]
    fn slow_steps_are_checked_less_often_and_then_are_fewer() {
        let pacing = |step_seconds: f64| {
            let mut pacing = Pacing::new(200, 20.0, 2, 40);
            pacing.learn(1, 1e3, 1);
            pacing.learn(2, step_seconds, 1);
            pacing
        };
        let quick = pacing(0.005);
        assert_eq!((quick.steps, checked(&quick), quick.limit.is_none()), (200, 200, true));
        // 2 and 8 / 4 of 25 ms a step.
        let slower = pacing(0.025);
        assert_eq!((slower.steps, slower.stride), (200, 4));
        assert!(slower.checks(40) && slower.checks(200) && !slower.checks(42));
        let slow = pacing(0.4);
        assert_eq!((slow.steps, slow.stride), (20, 16));
        assert!(slow.limit.is_some_and(|why| why.contains("400.0 ms")));
        assert_eq!(pacing(1e4).steps, 2);
    }
}
