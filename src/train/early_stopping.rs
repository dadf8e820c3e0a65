//! Early stopping, to the letter of Keras' `EarlyStopping` callback.

use serde::{Deserialize, Serialize};

use super::checkpoint::exact;
use crate::catalog::metric::Better;
use crate::config::EarlyStoppingSettings;

/// What the end of an epoch means for one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The weights of this epoch are the best so far.
    pub keep: bool,
    /// Training ends here.
    pub stop: bool,
}

/// What [`EarlyStopping`] must remember from one epoch to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StoppingState {
    /// The best value; infinite before the first.
    #[serde(with = "exact")]
    pub best: f64,
    /// The epoch, from 1, whose weights are kept.
    pub best_epoch: Option<usize>,
    /// Epochs in a row without improvement.
    pub wait: usize,
}

/// The state of one member.
#[derive(Debug, Clone)]
pub struct EarlyStopping {
    settings: EarlyStoppingSettings,
    better: Better,
    best: f64,
    best_epoch: Option<usize>,
    wait: usize,
}

impl EarlyStopping {
    /// Watches a value of which `better` tells which way is better.
    pub fn new(settings: &EarlyStoppingSettings, better: Better) -> Self {
        let best = match better {
            Better::Smaller => f64::INFINITY,
            Better::Larger => f64::NEG_INFINITY,
        };
        Self { settings: settings.clone(), better, best, best_epoch: None, wait: 0 }
    }

    /// The state, for a checkpoint.
    pub fn state(&self) -> StoppingState {
        StoppingState { best: self.best, best_epoch: self.best_epoch, wait: self.wait }
    }

    /// Goes on from a state.
    pub fn resume(&mut self, state: StoppingState) {
        StoppingState { best: self.best, best_epoch: self.best_epoch, wait: self.wait } = state;
    }

    /// The epoch, from 1, whose weights are kept; none before the first counted epoch.
    pub fn best_epoch(&self) -> Option<usize> {
        self.best_epoch
    }

    /// Strictly better than `reference` by more than `min_delta`; a value that is not a number
    /// never is. (Keras takes a first value as best even when it is NaN, and then nothing improves
    /// on it.)
    fn improves(&self, value: f64, reference: f64) -> bool {
        match self.better {
            Better::Smaller => value + self.settings.min_delta < reference,
            Better::Larger => value - self.settings.min_delta > reference,
        }
    }

    /// The epoch (from 1) ended with `value`.
    pub fn end_epoch(&mut self, epoch: usize, value: f64) -> Verdict {
        let nothing = Verdict { keep: false, stop: false };
        if epoch <= self.settings.start_from_epoch {
            return nothing;
        }
        // The first counted epoch's weights are kept even when its value is no number.
        let first = self.best_epoch.is_none();
        if first {
            self.best_epoch = Some(epoch);
        }
        self.wait += 1;
        if self.improves(value, self.best) {
            self.best = value;
            self.best_epoch = Some(epoch);
            // The wait starts again only when the baseline is beaten too.
            if self.settings.baseline.is_none_or(|baseline| self.improves(value, baseline)) {
                self.wait = 0;
            }
            return Verdict { keep: true, stop: false };
        }
        Verdict { keep: first, stop: self.wait >= self.settings.patience && epoch > 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;

    fn settings(patience: usize) -> EarlyStoppingSettings {
        EarlyStoppingSettings {
            monitor: "val_loss".to_owned(),
            mode: Mode::Auto,
            patience,
            min_delta: 0.0,
            restore_best: true,
            start_from_epoch: 0,
            baseline: None,
        }
    }

    fn run(mut state: EarlyStopping, values: &[f64]) -> (Option<usize>, Option<usize>) {
        for (i, value) in values.iter().enumerate() {
            if state.end_epoch(i + 1, *value).stop {
                return (Some(i + 1), state.best_epoch());
            }
        }
        (None, state.best_epoch())
    }

    #[test]
    fn stops_after_patience_epochs_without_improvement() {
        let watch = |patience| EarlyStopping::new(&settings(patience), Better::Smaller);
        assert_eq!(run(watch(2), &[1.0, 0.5, 0.6, 0.5, 0.4]), (Some(4), Some(2)));
        assert_eq!(run(watch(3), &[1.0, 0.5, 0.6, 0.5, 0.4]), (None, Some(5)));
        // Patience 0 stops at the first epoch without improvement, but never at epoch 1.
        assert_eq!(run(watch(0), &[f64::NAN, 0.9, 0.95]), (Some(3), Some(2)));
    }

    #[test]
    fn min_delta_must_be_exceeded() {
        let with = |min_delta| {
            EarlyStopping::new(&EarlyStoppingSettings { min_delta, ..settings(2) }, Better::Smaller)
        };
        assert_eq!(run(with(0.5), &[2.0, 1.5, 1.5]), (Some(3), Some(1)));
        assert_eq!(run(with(0.25), &[2.0, 1.5, 1.0]), (None, Some(3)));
    }

    #[test]
    fn a_baseline_keeps_the_wait_growing() {
        let state = EarlyStopping::new(
            &EarlyStoppingSettings { baseline: Some(0.5), ..settings(3) },
            Better::Smaller,
        );
        // Improves each epoch but never beats the baseline: a later bad epoch stops at once.
        assert_eq!(run(state, &[0.9, 0.8, 0.7, 0.75]), (Some(4), Some(3)));
    }

    #[test]
    fn larger_is_better_for_accuracies_and_early_epochs_may_be_skipped() {
        let state = EarlyStopping::new(
            &EarlyStoppingSettings { start_from_epoch: 2, ..settings(1) },
            Better::Larger,
        );
        assert_eq!(run(state, &[0.9, 0.8, 0.1, 0.2, 0.2]), (Some(5), Some(4)));
    }

    #[test]
    fn nan_never_improves() {
        let state = EarlyStopping::new(&settings(2), Better::Smaller);
        assert_eq!(run(state, &[1.0, f64::NAN, f64::NAN]), (Some(3), Some(1)));
    }
}
