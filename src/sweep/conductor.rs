//! Hands a group's trials to its lanes, keeps their records, and has the scheduler judge them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Sweep;
use super::folder::SweepFolder;
use super::forecast::Positions;
use super::record::{EpochRecord, TrialRecord, monitored};
use super::run::Shown;
use super::scheduler::Standings;
use crate::catalog::metric::Better;
use crate::data::Preprocessing;
use crate::error::Result;
use crate::model::Model;
use crate::network::Network;
use crate::train::trials::{Conductor, Course, Leave, Left, Standing, Trial, TrialEpoch};

/// What a sweep knows of its trials.
pub(super) struct Knowledge {
    pub standings: Standings,
    better: Better,
    /// What became of each trial so far, by its number.
    pub records: Vec<Option<TrialRecord>>,
    /// The trial of the best score so far.
    pub best: Option<usize>,
}

impl Knowledge {
    pub(super) fn of(sweep: &Sweep) -> Self {
        Self {
            standings: Standings::new(sweep.config.scheduler, sweep.better, sweep.keeps_best())
                .with_positions(Positions::new(
                    &sweep.config.axes,
                    sweep.trials.iter().map(|trial| &trial.values),
                )),
            better: sweep.better,
            records: vec![None; sweep.trials.len()],
            best: None,
        }
    }

    /// Takes over records as they were written.
    pub(super) fn replay(&mut self, epochs: &[EpochRecord], trials: Vec<TrialRecord>) {
        for record in epochs {
            let value = record.value.unwrap_or(f64::NAN);
            self.standings.record(record.trial, record.epoch, value, record.ends);
        }
        for record in trials {
            self.note(record);
        }
    }

    /// Notes what became of a trial; returns whether it is the best so far.
    pub(super) fn note(&mut self, record: TrialRecord) -> bool {
        let trial = record.trial;
        let Some(place) = self.records.get_mut(trial) else { return false };
        let score = record.score.unwrap_or(f64::NAN);
        *place = Some(record);
        let of = |trial: usize| self.records[trial].as_ref().and_then(|record| record.score);
        let is_best = match self.best {
            // Of one that trained on, the score is another.
            Some(best) if best != trial => {
                self.better.is_better(score, of(best).unwrap_or(f64::NAN))
            }
            _ => true,
        };
        if is_best {
            self.best = Some(trial);
        }
        is_best
    }
}

/// The conductor of one group.
pub(super) struct OfGroup<'a> {
    pub sweep: &'a Sweep,
    pub group: usize,
    /// The round, for the state that is kept.
    pub round: usize,
    pub lanes: &'a [usize],
    /// Trials to come.
    pub queue: VecDeque<Trial>,
    /// Whether a lane that is free waits until all are: members of rows that are streamed read the same
    /// windows, epoch by epoch.
    pub in_waves: bool,
    /// Whether an epoch was trained since the lanes were given away.
    pub has_begun: bool,
    pub known: &'a mut Knowledge,
    pub folder: &'a mut SweepFolder,
    pub shown: &'a mut dyn Shown,
    pub network: Network,
    pub preprocessing: &'a Preprocessing,
    pub device: &'a str,
}

impl OfGroup<'_> {
    fn keep_best(&self, trial: usize, parameters: Vec<f32>) -> Result<()> {
        let own = &self.sweep.trials[trial].settings;
        let task = &self.sweep.groups[self.group].task;
        let model = Model {
            config: own.resolved_for(task).without_paths(),
            preprocessing: self.preprocessing.clone(),
            network: self.network.clone(),
            parameters,
        };
        model.save(&self.folder.path().join("best.safetensors"))
    }
}

impl Conductor for OfGroup<'_> {
    fn next(&mut self) -> Result<Option<Trial>> {
        if self.in_waves && self.has_begun {
            return Ok(None);
        }
        Ok(self.queue.pop_front())
    }

    fn epoch(&mut self, epochs: Vec<TrialEpoch>) -> Result<Vec<Course>> {
        self.has_begun = true;
        let sweep = self.sweep;
        let mut trained = Vec::with_capacity(epochs.len());
        let mut valued = Vec::with_capacity(epochs.len());
        for epoch in epochs {
            let value = monitored(&sweep.monitor, Some(&epoch.train), epoch.validation.as_deref());
            self.known.standings.record(epoch.trial, epoch.epoch, value, epoch.ends);
            self.folder.epoch(&EpochRecord::new(&epoch, value))?;
            let most = sweep.trials[epoch.trial].settings.training.epochs;
            trained.push((epoch.trial, epoch.epoch, most));
            valued.push((epoch, value));
        }
        let courses = self.known.standings.judge(&trained);
        let goes_on =
            courses.iter().zip(&valued).filter(|(goes_on, (own, _))| **goes_on && !own.ends);
        let training = goes_on.count();
        self.shown.epoch(sweep, &valued, training, self.queue.len())?;
        Ok(courses
            .into_iter()
            .map(|goes_on| if goes_on { Course::GoesOn } else { Course::Stops })
            .collect())
    }

    fn left(&mut self, left: Left) -> Result<()> {
        let of = |set: &str| {
            left.scores.iter().find(|(name, _)| name == set).map(|(_, scores)| scores.as_slice())
        };
        let score = monitored(&self.sweep.monitor, of("train"), of("validation"));
        let values = &self.sweep.trials[left.trial].values;
        let record = TrialRecord::new(&left, self.group, values, score);
        if let Some(state) = left.state.as_ref().filter(|_| left.why == Leave::Paused) {
            self.folder.pause(left.trial, state)?;
        }
        let trial = left.trial;
        let is_best = self.known.note(record.clone());
        if is_best && score.is_finite() {
            self.keep_best(trial, left.parameters)?;
        }
        self.folder.trial(&record)?;
        self.shown.trial(self.sweep, &record, is_best)
    }

    fn standing(&mut self, standing: &Standing) -> Result<()> {
        self.folder.keep(self.lanes, self.round, Some(standing), self.device)
    }

    fn advanced(&self, share: f64) {
        self.shown.advanced(share);
    }

    fn interrupted(&self) -> bool {
        self.shown.interrupted()
    }
}

/// A trial as a lane takes it.
pub(super) fn lane_trial(
    sweep: &Sweep,
    number: usize,
    from: Option<crate::train::Checkpoint>,
    until: usize,
) -> Trial {
    let settings = Arc::clone(&sweep.trials[number].settings);
    Trial { number, until: until.min(settings.training.epochs), settings, from }
}
