//! What a training tells, as the run's records and on the terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::resume::{Place, device_name};
use crate::backend::DeviceDescription;
use crate::config::Config;
use crate::error::Result;
use crate::network::Network;
use crate::report::checkpoints::{self, RunIdentity};
use crate::report::{Progress, RunFolder};
use crate::train::observation::Observation;
use crate::train::{Checkpoint, EpochRecord, Observer, RestartRecord, StepRecord};

/// Writes the records and shows the progress.
pub(super) struct Recorder<'a> {
    pub(super) place: &'a mut Place,
    /// The config's name.
    pub(super) name: &'a str,
    pub(super) config: &'a Config,
    pub(super) identity: RunIdentity,
    /// Made when training begins: until then everything can still be refused.
    pub(super) folder: Option<RunFolder>,
    pub(super) progress: &'a mut Progress,
    pub(super) interrupt: &'a AtomicBool,
    pub(super) started: Instant,
    /// From the start of the process to that of training.
    pub(super) startup_seconds: f64,
}

impl Recorder<'_> {
    /// Writes into the run's folder, and tells what of it is no error.
    fn record(&mut self, write: impl FnOnce(&mut RunFolder) -> Result<()>) -> Result<()> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        let written = write(folder);
        folder.take_warnings().iter().for_each(|text| self.progress.warning(text));
        written
    }
}

impl Observer for Recorder<'_> {
    fn begin(&mut self, network: &Network, epochs: usize, epoch_steps: usize) -> Result<()> {
        self.folder = Some(self.place.open(self.name, self.config)?);
        self.progress.begin(network, epochs, epoch_steps);
        self.startup_seconds = self.started.elapsed().as_secs_f64();
        Ok(())
    }

    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.record(|folder| folder.step(record))
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.progress.epoch(record);
        self.record(|folder| folder.epoch(record))
    }

    fn observes(&self) -> bool {
        true
    }

    fn observation(&mut self, observation: &Observation) -> Result<()> {
        self.record(|folder| {
            folder.observation(observation);
            Ok(())
        })
    }

    fn keeps_checkpoints(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let Some(kept) = &self.config.checkpoint else { return Ok(()) };
        let identity = self.identity.clone();
        self.record(|folder| folder.checkpoint(checkpoint, &identity, kept.keep))
    }

    fn restarted(&mut self, record: &RestartRecord) -> Result<()> {
        self.progress.line(&format!("warning: {record}"));
        self.record(|folder| folder.restarted(record))
    }

    fn recall(&mut self) -> Result<Option<Checkpoint>> {
        let newest = |folder: &RunFolder| checkpoints::find(folder.path()).newest;
        Ok(self.folder.as_ref().and_then(newest).map(|found| found.checkpoint))
    }

    fn replaced(&mut self, device: &DeviceDescription, text: &str) -> Result<()> {
        self.identity.device = device_name(device);
        self.warn(text)
    }

    fn warn(&mut self, text: &str) -> Result<()> {
        self.progress.line(&format!("warning: {text}"));
        Ok(())
    }

    fn advanced(&self, epoch: usize, share: f64) {
        self.progress.advanced(epoch, share);
    }

    fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}
