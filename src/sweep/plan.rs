//! The plan of a sweep: which trials are trained side by side, what memory that takes, and about how long.

use serde::Serialize;

use super::{Group, Sweep};
use crate::backend::Backend;
use crate::config::Settings;
use crate::config::sweep::{RankedBy, Scheduler, Search};
use crate::data::{Dataset, Folds, memory};
use crate::error::{Error, Result, size};
use crate::report::{count, duration};
use crate::sweep::scheduler::rounds;
use crate::train::network_of;
use crate::train::step_time::time_step;
use crate::train::trials::{PlanBytes, TrialSets};

/// Seconds that a group's step is measured for.
const PATIENCE: f64 = 0.1;

/// Members from which on batches of evaluations are as small as they get.
const EVEN: usize = 128;

/// Groups whose steps are measured; of those after them it is the last measured one's, by their
/// parameters.
const MOST_MEASURED: usize = 16;

/// What is trained as one.
#[derive(Debug, Clone, Serialize)]
pub struct GroupPlan {
    /// Trials.
    pub trials: usize,
    /// Trials at once.
    pub lanes: usize,
    /// Members of a trial.
    pub members: usize,
    /// The network.
    pub network: String,
    /// Parameters of one member.
    pub parameters: usize,
    /// Bytes that the training takes on the device.
    pub bytes: u64,
    /// Epochs of its longest trial.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Seconds that all its trials take at most, about.
    pub seconds: f64,
}

/// The plan of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Trials.
    pub trials: usize,
    /// How the space is searched, in words.
    pub search: String,
    /// Which trials are stopped early, in words.
    pub scheduler: String,
    /// What trials are ranked by.
    pub monitor: String,
    /// What is trained, in order.
    pub groups: Vec<GroupPlan>,
    /// The device.
    pub device: String,
}

impl Plan {
    /// Plans a sweep for a device. Reads the data.
    ///
    /// # Errors
    /// When not even one trial fits the device, or fewer than the sweep asks for; and those of
    /// [`crate::data::load`].
    pub fn new(sweep: &mut Sweep, backend: &dyn Backend) -> Result<Self> {
        let mut groups: Vec<GroupPlan> = Vec::with_capacity(sweep.groups.len());
        let mut measured: Option<(f64, f64)> = None;
        for index in 0..sweep.groups.len() {
            let first = sweep.trials[sweep.groups[index].trials[0]].settings.clone();
            let lanes = sweep.config.lanes;
            let scheduler = sweep.config.scheduler;
            // Where trials are held to those beside them, how many those are is no matter of the clock.
            let by_clock = matches!(scheduler, Scheduler::None | Scheduler::SuccessiveHalving(_));
            let may_be_fewer = by_clock && lanes.is_none();
            let dataset = sweep.dataset(&first)?.clone();
            let settings = sweep.group_settings(index);
            let group = &sweep.groups[index];
            let planned =
                plan_group(group, &dataset, backend, lanes).map_err(|error| match error {
                    Error::Config { ref path, .. } if path == "lanes" => sweep.config.locate(error),
                    other => first.locate(other),
                })?;
            let Fitting { lanes, bytes } = planned;
            let network = network_of(&group.common, &dataset.preprocessing)?;
            let load = (network.parameters() * lanes * group.width) as f64;
            let (lanes, step) = match measured {
                Some((seconds, before)) if index >= MOST_MEASURED => {
                    (lanes, seconds * load / before)
                }
                _ => quickest_lanes(group, &dataset, backend, lanes, may_be_fewer)?,
            };
            measured = Some((step, load));
            let steps = steps_of(&group.common, &dataset);
            let epochs = settings.iter().map(|own| own.training.epochs).max().unwrap_or(0);
            let epochs_all: usize = match scheduler {
                Scheduler::SuccessiveHalving(_) => {
                    let mut before = 0;
                    rounds(scheduler, epochs, group.trials.len())
                        .into_iter()
                        .map(|(until, trials)| {
                            let own = (until - before) * trials.div_ceil(lanes);
                            before = until;
                            own
                        })
                        .sum()
                }
                _ => epochs * group.trials.len().div_ceil(lanes),
            };
            groups.push(GroupPlan {
                trials: group.trials.len(),
                lanes,
                members: group.width,
                network: network.shape(),
                parameters: network.parameters(),
                bytes: bytes.total,
                epochs,
                steps,
                seconds: step * (steps * epochs_all) as f64,
            });
        }
        Ok(Self {
            trials: sweep.trials.len(),
            search: search_in_words(sweep),
            scheduler: scheduler_in_words(sweep.config.scheduler).to_owned(),
            monitor: sweep.monitor.clone(),
            groups,
            device: backend.device().name.clone(),
        })
    }

    /// Seconds that all of it takes at most, about.
    pub fn seconds(&self) -> f64 {
        self.groups.iter().map(|group| group.seconds).sum()
    }

    /// The plan as labelled lines.
    pub fn facts(&self) -> Vec<(String, String)> {
        let trials = count(self.trials as u64);
        let Self { search, scheduler, monitor, .. } = self;
        let mut facts = vec![(
            "sweep".to_owned(),
            format!("{trials} trials, {search}; {scheduler}; ranked by {monitor}"),
        )];
        for (i, group) in self.groups.iter().enumerate() {
            let members = match group.members {
                1 => String::new(),
                members => format!(" of {members} members each"),
            };
            facts.push((
                format!("group {}", i + 1),
                format!(
                    "{} trials{members}, {} at once: {}, {} parameters; {}; at most {} epochs of {} \
                     steps, about {}",
                    count(group.trials as u64),
                    count(group.lanes as u64),
                    group.network,
                    count(group.parameters as u64),
                    size(group.bytes),
                    group.epochs,
                    count(group.steps as u64),
                    duration(group.seconds),
                ),
            ));
        }
        if self.groups.len() > 1 {
            let groups = self.groups.len();
            let seconds = duration(self.seconds());
            facts.push((String::new(), format!("{groups} trainings, about {seconds} at most")));
        }
        facts
    }
}

fn search_in_words(sweep: &Sweep) -> String {
    let axes = sweep.config.axes.len();
    let keys = if axes == 1 { "one key".to_owned() } else { format!("{axes} keys") };
    match sweep.config.search {
        Search::Grid => format!("a grid over {keys}"),
        Search::Random { .. } => format!("drawn at random over {keys}"),
    }
}

fn scheduler_in_words(scheduler: Scheduler) -> String {
    match scheduler {
        Scheduler::None => "none is stopped by another".to_owned(),
        Scheduler::SuccessiveHalving(rungs) => format!(
            "successive halving from epoch {}, the best of each {} go on",
            rungs.min_epochs, rungs.reduction
        ),
        Scheduler::Asha(rungs, by) => format!(
            "ASHA from epoch {}, the best of each {} go on{}",
            rungs.min_epochs,
            rungs.reduction,
            if by == RankedBy::Forecast { ", by what they come to" } else { "" }
        ),
        Scheduler::Median { min_epochs } => {
            format!("those worse than the median stop, from epoch {min_epochs}")
        }
    }
}

/// Steps of an epoch.
fn steps_of(settings: &Settings, dataset: &Dataset) -> usize {
    let of_fold =
        |folds: &Folds| (0..folds.count()).map(|fold| folds.trained(fold).len()).max().unwrap_or(0);
    let rows = dataset.folds.as_ref().map_or(dataset.train.rows, of_fold);
    let batch = settings.training.batch_size.min(rows).max(1);
    if settings.training.drop_last { (rows / batch).max(1) } else { rows.div_ceil(batch) }
}

/// How many lanes fit, and what they take.
struct Fitting {
    lanes: usize,
    bytes: PlanBytes,
}

/// Finds how many of a group's trials fit a device at once.
fn plan_group(
    group: &Group,
    dataset: &Dataset,
    backend: &dyn Backend,
    asked: Option<usize>,
) -> Result<Fitting> {
    let wanted = asked.map_or(group.trials.len(), |lanes| lanes.min(group.trials.len())).max(1);
    let sets = TrialSets::new(&group.with_members(1), dataset.clone(), backend)?;
    let exact = |members: usize| sets.bytes(&group.with_members(members), &group.task, backend);
    let is_hosted = matches!(backend.device().kind.as_str(), "cpu" | "software" | "integrated");
    let memory = if is_hosted { memory::available().unwrap_or(u64::MAX) } else { u64::MAX };
    let largest = backend.capacity().buffer_bytes;
    // From there on each member takes as much as the one before.
    let (known, next) = (exact(EVEN)?, exact(EVEN + 1)?);
    let bytes_of = |members: usize| -> Result<PlanBytes> {
        if members <= EVEN {
            return exact(members);
        }
        let further = (members - EVEN) as u64;
        let grown = |from: u64, to: u64| from.saturating_add((to - from).saturating_mul(further));
        Ok(PlanBytes {
            total: grown(known.total, next.total),
            largest: grown(known.largest, next.largest),
        })
    };
    let fits = |members: usize| -> Result<Option<PlanBytes>> {
        let bytes = bytes_of(members)?;
        Ok((bytes.total <= memory && bytes.largest <= largest).then_some(bytes))
    };
    if let Some(bytes) = fits(wanted * group.width)? {
        return Ok(Fitting { lanes: wanted, bytes });
    }
    let (mut least, mut most) = (0, wanted);
    let mut found = None;
    while most - least > 1 {
        let middle = least + (most - least) / 2;
        match fits(middle * group.width)? {
            Some(bytes) => (least, found) = (middle, Some(bytes)),
            None => most = middle,
        }
    }
    let name = &backend.device().name;
    match found {
        Some(_) if asked.is_some() => {
            let problem = format!("{name} has no room for {wanted} trials at once: {least} fit");
            Err(Error::config("lanes", problem)
                .with_help(format!("give at most {least}, or leave it out")))
        }
        Some(bytes) => Ok(Fitting { lanes: least, bytes }),
        None => {
            let mut fitting = 0;
            let mut above = group.width;
            while above - fitting > 1 {
                let middle = fitting + (above - fitting) / 2;
                if fits(middle)?.is_some() { fitting = middle } else { above = middle }
            }
            let problem = match fitting {
                0 => format!("{name} has no room for a network of this size"),
                _ => format!(
                    "{name} has no room for {} members of a trial: {fitting} fit",
                    group.width
                ),
            };
            Err(Error::config("members", problem)
                .with_help("use fewer members or units, or a smaller training.batch_size"))
        }
    }
}

/// How many lanes train most rows a second, and the seconds of their step. Fewer than there is room for
/// may be quicker where their weights stay in a processor's cache.
fn quickest_lanes(
    group: &Group,
    dataset: &Dataset,
    backend: &dyn Backend,
    lanes: usize,
    may_be_fewer: bool,
) -> Result<(usize, f64)> {
    let mut tried = vec![lanes];
    if may_be_fewer && lanes >= 8 {
        tried.push(lanes.div_ceil(4));
    }
    let mut best: Option<(usize, f64, f64)> = None;
    for lanes in tried {
        let settings = group.with_members(lanes * group.width);
        let time = time_step(&settings, &group.task, &dataset.preprocessing, backend, PATIENCE)?;
        // Less of a gain is noise, and costs more trainings.
        let gains = best.is_none_or(|(_, _, rate)| time.samples_per_second > 1.2 * rate);
        if gains {
            best = Some((lanes, time.seconds, time.samples_per_second));
        }
    }
    best.map(|(lanes, seconds, _)| (lanes, seconds))
        .ok_or_else(|| Error::internal("no number of lanes was tried"))
}
