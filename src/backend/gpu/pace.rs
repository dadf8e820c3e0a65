//! How many steps one submission has. Drivers take a long one for a hang, and the desktop waits for it; a
//! short one costs more than it computes.

use std::time::Duration;

/// The longest submission, far below what drivers take for a hang.
const LONG: Duration = Duration::from_millis(100);

/// How long a submission may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Longest {
    /// Steps of one submission shrink when it takes more than this, and grow while it takes less than a
    /// fifth.
    pub(super) submission: Duration,
    /// Whether dispatches that take longer by themselves are cut up.
    pub(super) cuts: bool,
}

impl Longest {
    /// As asked for; else that of a device, where only a software adapter has nobody who takes it for a
    /// hang.
    pub(super) fn new(asked: Option<Duration>, is_software: bool) -> Self {
        Self { submission: asked.unwrap_or(LONG), cuts: asked.is_some() || !is_software }
    }

    /// Pieces of a dispatch that takes so long, each well below it.
    pub(super) fn pieces(self, took: Duration) -> u64 {
        if took <= self.submission {
            return 1;
        }
        let least = self.submission.max(Duration::from_micros(1));
        (2.0 * took.as_secs_f64() / least.as_secs_f64()).ceil() as u64
    }
}

/// The steps of a program's next submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    longest: Duration,
    /// None: a step is submitted call by call, as it takes too long in one, or as nothing is known yet.
    steps: Option<usize>,
}

impl Pace {
    /// Of a program of which nothing is known yet.
    pub(super) fn new(longest: Longest) -> Self {
        Self { longest: longest.submission, steps: None }
    }

    /// Steps of the next submission; none where each call has its own.
    pub(super) fn steps(&mut self, most: usize) -> Option<usize> {
        self.steps = self.steps.map(|steps| steps.min(most));
        self.steps
    }

    /// Learns from a step that was submitted call by call.
    pub(super) fn stepped(&mut self, took: Duration) {
        self.steps = (took <= self.longest).then_some(1);
    }

    /// Learns from a submission of so many steps.
    pub(super) fn submitted(&mut self, steps: usize, took: Duration) {
        let Some(now) = self.steps else { return };
        if took.mul_f64(now as f64 / steps.max(1) as f64) < self.longest / 5 {
            self.steps = Some(now * 2);
        } else if took > self.longest {
            self.steps = (steps > 1).then_some((steps / 2).min(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest submission, and the steps of the last one, of a device whose step takes so long.
    fn run(step: Duration, most: usize) -> (Duration, Option<usize>) {
        let mut pace = Pace::new(Longest::new(None, false));
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
        let mut pace = Pace { longest: LONG, steps: Some(64) };
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
            pace = Pace { longest: LONG, steps: Some(8) };
            pace.submitted(4, Duration::from_millis(millis));
            assert_eq!(pace.steps(100), Some(expected), "{millis}");
        }
    }

    #[test]
    fn what_takes_too_long_is_in_pieces_that_do_not() {
        let longest = Longest::new(None, false);
        for (millis, pieces) in [(1, 1), (100, 1), (101, 3), (150, 3), (2000, 40)] {
            assert_eq!(longest.pieces(Duration::from_millis(millis)), pieces, "{millis}");
        }
        assert!(longest.cuts && !Longest::new(None, true).cuts);
        let shortest = Longest::new(Some(Duration::ZERO), true);
        assert!(shortest.cuts && shortest.pieces(Duration::from_millis(1)) >= 2000);
    }
}
