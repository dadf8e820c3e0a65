//! How many steps one submission has. Drivers take a long one for a hang, and the desktop waits for it; a
//! short one costs more than it computes.

use std::time::Duration;

/// Steps of one submission grow while it takes less than this...
const SHORT: Duration = Duration::from_millis(20);

/// ...and shrink when it takes more than this, far below what drivers take for a hang.
const LONG: Duration = Duration::from_millis(100);

/// The steps of a program's next submission.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// None: a step is submitted call by call, as it takes too long in one, or as nothing is known yet.
    steps: Option<usize>,
}

impl Pace {
    /// Steps of the next submission; none where each call has its own.
    pub(super) fn steps(&mut self, most: usize) -> Option<usize> {
        self.steps = self.steps.map(|steps| steps.min(most));
        self.steps
    }

    /// Learns from a step that was submitted call by call.
    pub(super) fn stepped(&mut self, took: Duration) {
        self.steps = (took <= LONG).then_some(1);
    }

    /// Learns from a submission of so many steps.
    pub(super) fn submitted(&mut self, steps: usize, took: Duration) {
        let Some(now) = self.steps else { return };
        if took.mul_f64(now as f64 / steps.max(1) as f64) < SHORT {
            self.steps = Some(now * 2);
        } else if took > LONG {
            self.steps = (steps > 1).then_some((steps / 2).min(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest submission, and the steps of the last one, of a device whose step takes so long.
    fn run(step: Duration, most: usize) -> (Duration, Option<usize>) {
        let mut pace = Pace::default();
        let mut longest = Duration::ZERO;
        for _ in 0..40 {
            match pace.steps(most) {
                None => pace.stepped(step),
                Some(steps) => {
                    let took = step * steps as u32;
                    longest = longest.max(took);
                    pace.submitted(steps, took);
                }
            }
        }
        (longest, pace.steps(most))
    }

    #[test]
    fn a_submission_is_neither_long_nor_needlessly_short() {
        for (micros, steps) in
            [(10, Some(150)), (400, Some(64)), (15_000, Some(2)), (90_000, Some(1))]
        {
            let (longest, last) = run(Duration::from_micros(micros), 150);
            assert!(longest <= LONG, "{micros}: {longest:?}");
            assert_eq!(last, steps, "{micros}");
        }
        // A step that takes too long is never submitted whole.
        assert_eq!(run(Duration::from_secs(2), 150), (Duration::ZERO, None));
    }

    #[test]
    fn steps_that_grow_longer_are_fewer() {
        let mut pace = Pace { steps: Some(64) };
        for _ in 0..6 {
            let steps = pace.steps(100).expect("steps");
            pace.submitted(steps, Duration::from_millis(60) * steps as u32);
        }
        assert_eq!(pace.steps(100), Some(1));
        pace.submitted(1, Duration::from_millis(300));
        assert_eq!(pace.steps(100), None);
        pace.stepped(Duration::from_millis(30));
        assert_eq!(pace.steps(100), Some(1));
        // What is left of an epoch says what as many steps as usual would take.
        for (millis, expected) in [(1, 16), (15, 8)] {
            pace = Pace { steps: Some(8) };
            pace.submitted(4, Duration::from_millis(millis));
            assert_eq!(pace.steps(100), Some(expected), "{millis}");
        }
    }
}
