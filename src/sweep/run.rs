//! Runs a sweep: its rounds, in each its groups one after the other, and what is made of the results.

use std::collections::VecDeque;
use std::path::Path;

use serde_json::{Value, json};

use super::comparison::{Comparison, comparisons};
use super::conductor::{Knowledge, OfGroup, lane_trial};
use super::folder::{Resumed, SweepFolder};
use super::page::{Told, sweep_page};
use super::record::{TrialRecord, line};
use super::scheduler::rounds;
use super::start::starts;
use super::table::{ranked, to_csv};
use super::{Plan, Sweep};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::train::network_of;
use crate::train::trials::{Leave, Standing, TrialEpoch, TrialSets, train_trials};

/// Is told how a sweep goes.
pub trait Shown {
    /// Trials have trained an epoch side by side, each to a value of what ranks; so many of them go on, and
    /// so many are still to come.
    fn epoch(
        &mut self,
        sweep: &Sweep,
        epochs: &[(TrialEpoch, f64)],
        training: usize,
        waiting: usize,
    ) -> Result<()>;
    /// A trial has ended, or is paused.
    fn trial(&mut self, sweep: &Sweep, record: &TrialRecord, is_best: bool) -> Result<()>;
    /// A line that stays.
    fn line(&mut self, text: &str);
    /// How much of an epoch, 0 to 1, the device has been given.
    fn advanced(&self, share: f64);
    /// Whether the sweep should end with the epoch that is under way.
    fn interrupted(&self) -> bool;
}

/// How a sweep ended.
#[derive(Debug)]
pub struct Ended {
    /// What became of its trials, the best first.
    pub ranked: Vec<TrialRecord>,
    /// The best trial against each of the others, where they have members enough.
    pub compared: Vec<Comparison>,
    /// Whether it was interrupted, and goes on with `--resume`.
    pub interrupted: bool,
    /// summary.json.
    pub summary: Value,
}

/// Runs a sweep as planned, from where it was left where there is such a place.
///
/// # Errors
/// Those of training, and a folder that cannot be written.
pub fn run(
    sweep: &mut Sweep,
    plan: &Plan,
    backend: &dyn Backend,
    name: &str,
    folder: SweepFolder,
    from: Option<From>,
    shown: &mut dyn Shown,
) -> Result<Ended> {
    let mut known = Knowledge::of(sweep);
    let mut folder = folder;
    let mut lanes: Vec<usize> = plan.groups.iter().map(|group| group.lanes).collect();
    let (mut first_round, mut standing) = (0, None);
    if let Some(from) = from {
        known.replay(&from.epochs, from.trials);
        (lanes, first_round, standing) = (from.lanes, from.round, from.standing);
    }
    let all: Vec<usize> = (0..sweep.trials.len()).collect();
    let rounds = rounds(sweep.config.scheduler, sweep.epochs(), all.len());
    let mut interrupted = false;
    for (round, (until, count)) in rounds.iter().copied().enumerate().skip(first_round) {
        let taking_part = match round.checked_sub(1) {
            None => all.clone(),
            Some(before) => known.standings.best(&all, rounds[before].0, count),
        };
        for group in 0..sweep.groups.len() {
            let at = At { round, until, taking_part: &taking_part, lanes: &lanes };
            let from = standing.take_if(|standing: &mut Standing| is_of(sweep, group, standing));
            match train_group(sweep, group, &at, from, backend, &mut known, &mut folder, shown)? {
                // What is kept may be where a group after it stands.
                GroupEnd::HadEnded => {}
                GroupEnd::Trained => {
                    folder.keep(&lanes, round, None, &backend.device().name)?;
                }
                GroupEnd::Interrupted => {
                    interrupted = true;
                    break;
                }
            }
        }
        if interrupted {
            break;
        }
        if round + 1 < rounds.len() {
            folder.keep(&lanes, round + 1, None, &backend.device().name)?;
        }
    }
    if !interrupted {
        // Whoever did not go on to the last round was stopped.
        for record in known.records.iter_mut().flatten().filter(|own| own.why == Leave::Paused) {
            record.why = Leave::Stopped;
            folder.trial(record)?;
        }
    }
    let records: Vec<TrialRecord> = known.records.iter().flatten().cloned().collect();
    let ranked = ranked(sweep, &records);
    let compared = comparisons(sweep, &ranked);
    let summary = summary(sweep, plan, &ranked, &compared, backend);
    if !interrupted {
        folder.write("results.csv", to_csv(sweep, &ranked).as_bytes())?;
        if let Some(best) = ranked.first() {
            let config = sweep.config_of(best.trial)?;
            folder.write_json("best.json", &json!(config))?;
        }
        let starts = starts(sweep)?;
        folder.write("starts.jsonl", &starts.iter().flat_map(line).collect::<Vec<u8>>())?;
        let epochs = folder.epochs()?;
        let told = Told {
            sweep,
            plan,
            ranked: &ranked,
            compared: &compared,
            epochs: &epochs,
            starts: &starts,
            name,
        };
        folder.write("sweep.html", sweep_page(&told)?.as_bytes())?;
        if sweep.trials.iter().any(|trial| trial.settings.tensorboard) {
            folder.write_events(&ranked, &epochs)?;
        }
        folder.finish(&summary)?;
    }
    Ok(Ended { ranked, compared, interrupted, summary })
}

/// From where a sweep goes on.
#[derive(Debug)]
pub struct From {
    pub(super) lanes: Vec<usize>,
    pub(super) round: usize,
    pub(super) standing: Option<Standing>,
    pub(super) trials: Vec<TrialRecord>,
    pub(super) epochs: Vec<super::EpochRecord>,
    /// The device that it was trained on.
    pub device: String,
}

impl From {
    /// Opens a folder to go on with its sweep; none where it has no state yet.
    ///
    /// # Errors
    /// When it holds another sweep, is damaged, or another process writes into it.
    pub fn open(path: &Path, sweep: &Sweep) -> Result<Option<(SweepFolder, Self)>> {
        let Some(resumed) = SweepFolder::resume(path, &sweep.written())? else { return Ok(None) };
        let Resumed { folder, progress, standing, trials, epochs } = resumed;
        let count = sweep.trials.len();
        let is_known = |trial: usize| trial < count;
        let stands = standing.as_ref().is_none_or(|standing| {
            let members = standing.state.state.states.len();
            let of = standing.places.first().map_or(0, |place| place.trial);
            let width = sweep.trials.get(of).map_or(0, |trial| trial.settings.members);
            !standing.places.is_empty() && standing.places.len().saturating_mul(width) == members
        });
        if progress.lanes.len() != sweep.groups.len()
            || !stands
            || !progress.places.iter().all(|place| is_known(place.trial))
            || !trials.iter().all(|record| is_known(record.trial))
            || !epochs.iter().all(|record| is_known(record.trial) && record.epoch > 0)
        {
            return Err(Error::usage(format!(
                "the state in {} is damaged: it is of other trials than the sweep's",
                path.display()
            ))
            .with_help("begin again with --overwrite"));
        }
        let from = Self {
            lanes: progress.lanes,
            round: progress.round,
            standing,
            trials,
            epochs,
            device: progress.device,
        };
        Ok(Some((folder, from)))
    }

    /// Trials that have ended.
    pub fn ended(&self) -> usize {
        let mut ended: Vec<usize> = self
            .trials
            .iter()
            .filter(|record| record.why != Leave::Paused)
            .map(|record| record.trial)
            .collect();
        ended.sort_unstable();
        ended.dedup();
        ended.len()
    }
}

fn is_of(sweep: &Sweep, group: usize, standing: &Standing) -> bool {
    standing.places.first().is_some_and(|place| sweep.groups[group].trials.contains(&place.trial))
}

/// What of a round a group trains.
struct At<'a> {
    round: usize,
    until: usize,
    taking_part: &'a [usize],
    lanes: &'a [usize],
}

/// What became of a group's trials of a round.
enum GroupEnd {
    /// They had ended before.
    HadEnded,
    /// They were trained to their end.
    Trained,
    /// They stand where they were interrupted.
    Interrupted,
}

/// Trains a group's trials of a round.
#[allow(clippy::too_many_arguments)] // what a sweep holds
fn train_group(
    sweep: &mut Sweep,
    group: usize,
    at: &At,
    standing: Option<Standing>,
    backend: &dyn Backend,
    known: &mut Knowledge,
    folder: &mut SweepFolder,
    shown: &mut dyn Shown,
) -> Result<GroupEnd> {
    let mut queue = VecDeque::new();
    let mut placed = Vec::new();
    if let Some(standing) = standing {
        for (i, place) in standing.places.iter().enumerate() {
            placed.push(place.trial);
            queue.push_back(lane_trial(sweep, place.trial, Some(standing.of(i)), place.until));
        }
    }
    for trial in sweep.groups[group].trials.clone() {
        if !at.taking_part.contains(&trial) || placed.contains(&trial) {
            continue;
        }
        let from = match &known.records[trial] {
            None => None,
            Some(record) if record.why == Leave::Paused && record.epochs < at.until => {
                Some(folder.paused(trial, record.epochs)?)
            }
            Some(_) => continue,
        };
        queue.push_back(lane_trial(sweep, trial, from, at.until));
    }
    if queue.is_empty() {
        return Ok(GroupEnd::HadEnded);
    }
    let first = sweep.trials[sweep.groups[group].trials[0]].settings.clone();
    let dataset = sweep.dataset(&first)?.clone();
    let preprocessing = dataset.preprocessing.clone();
    let sweep = &*sweep;
    let own = &sweep.groups[group];
    let network = network_of(&own.common, &preprocessing)?;
    let one = own.with_members(own.width);
    let sets = TrialSets::new(&one, dataset, backend)?;
    // The same, wherever in the round it goes on.
    let taking_part = own.trials.iter().filter(|trial| at.taking_part.contains(trial)).count();
    let mut lanes = at.lanes.get(group).copied().unwrap_or(1).min(taking_part).max(1);
    // Of rows that are streamed, what is under way ends before others begin.
    let mut later = VecDeque::new();
    if own.is_streamed && !placed.is_empty() {
        later = queue.split_off(placed.len());
    }
    let mut conductor = OfGroup {
        sweep,
        group,
        round: at.round,
        lanes: at.lanes,
        queue,
        in_waves: own.is_streamed,
        has_begun: false,
        known,
        folder,
        shown,
        network,
        preprocessing: &preprocessing,
        device: &backend.device().name,
    };
    while !conductor.queue.is_empty() || !later.is_empty() {
        if conductor.queue.is_empty() {
            conductor.queue = std::mem::take(&mut later);
        }
        let common = own.with_members(lanes * own.width);
        conductor.has_begun = false;
        let waiting = conductor.queue.clone();
        match train_trials(&common, &own.task, &sets, backend, lanes, &mut conductor) {
            Ok(_) => {}
            Err(Error::OutOfMemory { problem, .. }) if lanes > 1 && !conductor.has_begun => {
                let fewer = lanes / 2;
                let line = problem.lines().next().unwrap_or_default().to_owned();
                conductor
                    .shown
                    .line(&format!("{line}; {fewer} trials at once in place of {lanes}"));
                lanes = fewer;
                conductor.queue = waiting;
            }
            Err(error) => return Err(error),
        }
        if conductor.shown.interrupted() {
            return Ok(GroupEnd::Interrupted);
        }
    }
    Ok(GroupEnd::Trained)
}

/// summary.json.
fn summary(
    sweep: &Sweep,
    plan: &Plan,
    ranked: &[TrialRecord],
    compared: &[Comparison],
    backend: &dyn Backend,
) -> Value {
    let epochs: usize = ranked.iter().map(|record| record.epochs).sum();
    let all: usize = sweep.trials.iter().map(|trial| trial.settings.training.epochs).sum();
    json!({
        "trials": sweep.trials.len(),
        "groups": sweep.groups.len(),
        "monitor": sweep.monitor,
        "search": plan.search,
        "scheduler": plan.scheduler,
        "epochs": epochs,
        "epochs_at_most": all,
        "best": ranked.first(),
        "comparisons": compared,
        "device": backend.device(),
        "version": env!("CARGO_PKG_VERSION"),
    })
}
