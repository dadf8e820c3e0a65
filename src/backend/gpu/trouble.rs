//! What goes wrong on a device: it fails, is lost, or does not answer.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::device::Gpu;
use crate::error::{Error, Result};
use crate::fault::{Operation, strikes_device};

/// A submission takes less than a tenth of a second, or a few seconds on a slow software adapter.
const PATIENCE: Duration = Duration::from_secs(600);

/// For one that has failed, to tell why.
const SHORT_PATIENCE: Duration = Duration::from_secs(10);

/// What went wrong on a device behind our back.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) text: String,
    /// Whether the device is gone.
    pub(super) is_loss: bool,
}

impl Trouble {
    /// The device is gone, for a reason that may be empty.
    pub(super) fn loss(why: &str) -> Self {
        let colon = if why.is_empty() { "" } else { ": " };
        Self { text: format!("the device was lost{colon}{why}"), is_loss: true }
    }

    /// Notes what is the first of its kind; a loss explains whatever came before it.
    pub(super) fn note(self, seen: &Mutex<Option<Self>>) {
        if let Ok(mut first) = seen.lock()
            && first.as_ref().is_none_or(|first| self.is_loss && !first.is_loss)
        {
            *first = Some(self);
        }
    }
}

impl Gpu {
    /// What went wrong since the device was opened, as an error.
    pub(super) fn check(&self) -> Result<()> {
        self.noted().map_or(Ok(()), |trouble| Err(self.failure(trouble.text)))
    }

    fn noted(&self) -> Option<Trouble> {
        self.trouble.lock().ok().and_then(|trouble| trouble.clone())
    }

    /// What was noted, once the device has told whatever it has to tell: one that is lost refuses what it
    /// is asked for, and says why when what it was given before is done.
    fn told(&self) -> Option<Trouble> {
        let noted = self.noted();
        if noted.as_ref().is_some_and(|trouble| trouble.is_loss) {
            return noted;
        }
        // What fails here too is no news.
        let _ = self.poll(None, SHORT_PATIENCE);
        self.noted()
    }

    /// Whether the device is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.told().is_some_and(|trouble| trouble.is_loss)
    }

    /// A problem as an error: that of a device that is lost, where it is.
    pub(super) fn failure(&self, problem: impl Display) -> Error {
        let noted = self.told();
        let name = &self.description.name;
        let error = match noted {
            Some(Trouble { text, is_loss: true }) => Error::device_lost(format!("{name}: {text}")),
            Some(Trouble { text, .. }) => Error::device(format!("{name}: {text}")),
            None => Error::device(format!("{name}: {problem}")),
        };
        error.with_help("run it on another device, such as --device cpu")
    }

    /// Counts steps of trainings that were given to it, after some of which it may be lost on purpose.
    pub(super) fn count_steps(&self, steps: usize) {
        let Some(loss) = self.planted_loss else { return };
        let before = self.steps.fetch_add(steps as u64, Ordering::Relaxed);
        if before < loss.step && before + steps as u64 >= loss.step {
            self.device.destroy();
        }
    }

    /// Waits until a submission is done, or all of them.
    pub(super) fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        match self.poll(submission, PATIENCE) {
            Ok(()) => self.check(),
            Err(wgpu::PollError::Timeout) => {
                Err(self.failure(format!("no answer for {} s", PATIENCE.as_secs())))
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    fn poll(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
        patience: Duration,
    ) -> std::result::Result<(), wgpu::PollError> {
        if strikes_device(Operation::DeviceWait, &self.description.name) {
            self.device.destroy();
        }
        let poll = wgpu::PollType::Wait { submission_index, timeout: Some(patience) };
        // A device that is lost within the wait makes wgpu panic.
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        polled.map_or_else(
            |_| {
                Trouble::loss("").note(&self.trouble);
                Ok(())
            },
            |polled| polled.map(drop),
        )
    }
}
