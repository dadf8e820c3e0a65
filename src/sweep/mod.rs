//! Many trainings from one file: the points of a search space, as members of as few trainings as their
//! shapes allow; which of them go on; what came of them.

mod comparison;
mod conductor;
mod folder;
mod forecast;
mod group;
mod page;
mod plan;
mod record;
mod run;
mod scheduler;
mod start;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::catalog::metric::Better;
use crate::config::data::Task;
use crate::config::sweep::{RankedBy, Scheduler, SweepConfig};
use crate::config::{Config, Mode, Monitor, OnDivergence, Settings, TaskSettings};
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
pub use comparison::{Comparison, comparisons, in_words};
pub use folder::SweepFolder;
use group::signature;
pub use page::{Told, sweep_page};
pub use plan::{GroupPlan, Plan};
pub use record::{EpochRecord, TrialRecord};
pub use run::{Ended, From, Shown, run};
pub use start::StartRecord;
pub use table::{ranked, to_csv, to_text};
use table::{short_keys, value_in_words};

/// A sweep, ready to be planned.
#[derive(Debug)]
pub struct Sweep {
    /// As written.
    pub config: SweepConfig,
    /// Its trials, in order.
    pub trials: Vec<Trial>,
    /// Those that are members of one training, in order.
    pub groups: Vec<Group>,
    /// What trials are ranked by, such as `val_loss`.
    pub monitor: String,
    /// Which way it is better.
    pub better: Better,
    /// Hashes of the data sets, in the order in which trials first use them.
    data_hashes: Vec<String>,
    /// The data set that was loaded last, with its settings as text.
    loaded: Option<(String, Dataset)>,
}

/// A trial.
#[derive(Debug)]
pub struct Trial {
    /// The values of the space's keys.
    pub values: Map<String, Value>,
    /// Its config.
    pub config: Config,
    /// The same, validated.
    pub settings: Arc<Settings>,
}

/// Trials that are members of one training.
#[derive(Debug)]
pub struct Group {
    /// Their numbers.
    pub trials: Vec<usize>,
    /// What they share.
    pub common: Settings,
    /// What the task decides.
    pub task: TaskSettings,
    /// The data set, by the order in which trials first use it.
    data: usize,
    /// Whether the rows come and go in windows, which all members read alike.
    pub is_streamed: bool,
    /// Members of a trial.
    pub width: usize,
}

impl Group {
    /// What its trials share, with so many members in all.
    fn with_members(&self, members: usize) -> Settings {
        let mut settings = self.common.clone();
        settings.members = members;
        settings
    }
}

impl Sweep {
    /// Makes the trials, and finds which can be trained together. Reads the data.
    ///
    /// # Errors
    /// A key of the space that is unknown, may not vary or has a value that cannot be used; trials that
    /// cannot be compared; and those of [`data::load`].
    pub fn new(config: SweepConfig) -> Result<Self> {
        let written = config.trials()?;
        let mut trials = Vec::with_capacity(written.len());
        for trial in written {
            let mut settings = trial.config.validate(&config.folder)?;
            check(&config, &settings)?;
            // A sweep keeps records of its own.
            (settings.log_every_steps, settings.histograms_every) = (0, 0);
            trials.push(Trial {
                values: trial.values,
                config: trial.config,
                settings: Arc::new(settings),
            });
        }
        let monitor = match (&config.monitor, trials.first()) {
            (Some(name), _) => name.clone(),
            (None, Some(trial)) => match &trial.settings.early_stopping {
                Some(stopping) => stopping.monitor.clone(),
                None => "val_loss".to_owned(),
            },
            (None, None) => return Err(Error::internal("a sweep without trials")),
        };
        check_losses(&config, &monitor, &trials)?;
        let mut sweep = Self {
            config,
            trials,
            groups: Vec::new(),
            monitor,
            better: Better::Smaller,
            data_hashes: Vec::new(),
            loaded: None,
        };
        sweep.make_groups()?;
        sweep.check_forecasts()?;
        Ok(sweep)
    }

    /// Refuses to forecast what is not a loss.
    fn check_forecasts(&self) -> Result<()> {
        let forecasts = matches!(self.config.scheduler, Scheduler::Asha(_, RankedBy::Forecast));
        if forecasts && self.better != Better::Smaller {
            let problem = format!("no forecast of {}: it does not fall as losses do", self.monitor);
            return Err(self.config.locate(
                Error::config("scheduler.ranked_by", problem)
                    .with_help(r#"give "score", or a monitor such as "val_loss""#),
            ));
        }
        Ok(())
    }

    fn make_groups(&mut self) -> Result<()> {
        let mut by_signature: HashMap<String, usize> = HashMap::new();
        // Each data set is read once here, whatever the order of the trials.
        let mut known: Vec<(String, bool, Task)> = Vec::new();
        for number in 0..self.trials.len() {
            let settings = Arc::clone(&self.trials[number].settings);
            let key = data_key(&settings);
            if !known.iter().any(|(other, ..)| *other == key) {
                let dataset = self.dataset(&settings)?;
                let (is_streamed, task) =
                    (dataset.chunk_rows.is_some(), dataset.preprocessing.task());
                let hash = dataset.hash.clone();
                self.data_hashes.push(hash);
                known.push((key.clone(), is_streamed, task));
            }
            let found = known.iter().position(|(other, ..)| *other == key).unwrap_or(0);
            let (_, is_streamed, task) = known[found];
            let signature = signature(&settings, is_streamed)?;
            if let Some(group) = by_signature.get(&signature) {
                self.groups[*group].trials.push(number);
                continue;
            }
            by_signature.insert(signature, self.groups.len());
            let task = settings.fit_task(task)?;
            let mode = match (&self.config.monitor, &settings.early_stopping) {
                (None, Some(stopping)) => stopping.mode,
                _ => Mode::Auto,
            };
            self.better = Monitor::find("monitor", &self.monitor, mode, &task.metrics)
                .map_err(|error| self.config.locate(error))?
                .better;
            self.groups.push(Group {
                trials: vec![number],
                common: Settings::clone(&settings),
                task,
                is_streamed,
                data: found,
                width: settings.members,
            });
        }
        self.groups.sort_by_key(|group| group.data);
        for group in &mut self.groups {
            let of = |trial: &usize| Arc::clone(&self.trials[*trial].settings);
            let settings: Vec<Arc<Settings>> = group.trials.iter().map(of).collect();
            group.common = crate::train::trials::common(&settings, group.width)?;
            group.task.loss.by_member = group.common.loss.is_some_and(|loss| loss.by_member);
        }
        Ok(())
    }

    /// The data set of some settings; that of the last ones stays in memory.
    ///
    /// # Errors
    /// Those of [`data::load`].
    pub fn dataset(&mut self, settings: &Settings) -> Result<&Dataset> {
        let key = data_key(settings);
        let loaded = match self.loaded.take() {
            Some((found, dataset)) if found == key => (key, dataset),
            _ => {
                let dataset = data::load(&settings.data).map_err(|error| settings.locate(error))?;
                (key, dataset)
            }
        };
        Ok(&self.loaded.insert(loaded).1)
    }

    /// A trial's values in one line: `learning_rate=0.001 dropout=0.2`.
    pub fn values_in_words(&self, trial: usize) -> String {
        let keys: Vec<String> = self.config.axes.iter().map(|axis| axis.key.clone()).collect();
        let values = &self.trials[trial].values;
        let words = keys.iter().zip(short_keys(&keys)).filter_map(|(key, short)| {
            Some(format!("{short}={}", value_in_words(values.get(key)?)))
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The settings of a group's trials.
    fn group_settings(&self, group: usize) -> Vec<Arc<Settings>> {
        let of = |trial: &usize| Arc::clone(&self.trials[*trial].settings);
        self.groups[group].trials.iter().map(of).collect()
    }

    /// Epochs of the longest trial.
    pub fn epochs(&self) -> usize {
        let epochs = self.trials.iter().map(|trial| trial.settings.training.epochs);
        epochs.max().unwrap_or(0)
    }

    /// Whether trials are ranked by their best epoch, whose weights they keep.
    pub fn keeps_best(&self) -> bool {
        let stopping = self.trials.first().and_then(|trial| trial.settings.early_stopping.as_ref());
        stopping.is_some_and(|stopping| stopping.restore_best)
    }

    /// The sweep as its folder keeps it: what it is begun with, all of which stays as it is.
    pub fn written(&self) -> Value {
        let first = self.trials.first().map(|trial| trial.settings.resolved().without_paths());
        json!({
            "config": first,
            "trials": self.trials.iter().map(|trial| &trial.values).collect::<Vec<_>>(),
            "scheduler": format!("{:?}", self.config.scheduler),
            "monitor": self.monitor,
            "lanes": self.config.lanes,
            "data": self.data_hashes,
        })
    }

    /// The config of a trial, ready to train from the base config's folder.
    ///
    /// # Errors
    /// None: it was validated before.
    pub fn config_of(&self, trial: usize) -> Result<Config> {
        let settings = self.trials[trial].config.validate(&self.config.folder)?;
        Ok(settings.resolved())
    }
}

/// What data settings load, as text.
fn data_key(settings: &Settings) -> String {
    let seed = settings.data.draws_split().then_some(settings.seed);
    serde_json::json!([settings.resolved().data, seed]).to_string()
}

/// Refuses settings that a sweep cannot train.
fn check(config: &SweepConfig, settings: &Settings) -> Result<()> {
    if !settings.has_validation() {
        return Err(settings.locate(
            Error::config(
                "data.validation",
                "trials are compared on rows that they do not train on",
            )
            .with_help("give a share such as 0.2, a file, or data.folds"),
        ));
    }
    if settings.training.on_divergence == OnDivergence::Restart {
        return Err(settings.locate(
            Error::config("training.on_divergence", "a trial that diverges is stopped")
                .with_help("leave it out; smaller learning rates are other trials"),
        ));
    }
    // Rungs are epochs of all trials.
    let halves = matches!(config.scheduler, Scheduler::SuccessiveHalving(_));
    let varies = config.axes.iter().any(|axis| axis.key.starts_with("training.epochs"));
    if halves && varies {
        let problem = "may not vary with successive_halving: its rounds are epochs of all trials";
        return Err(config.locate(
            Error::config("space.training.epochs", problem)
                .with_help("give scheduler \"asha\", or none"),
        ));
    }
    Ok(())
}

/// Refuses to rank trials of different losses by their losses.
fn check_losses(config: &SweepConfig, monitor: &str, trials: &[Trial]) -> Result<()> {
    let loss = |trial: &Trial| {
        trial.settings.loss.map(|loss| (loss.row.name, format!("{:?}", loss.values)))
    };
    let first = trials.first().and_then(loss);
    if monitor.trim_start_matches("val_") == "loss" && trials.iter().any(|t| loss(t) != first) {
        let problem = format!("trials of different losses cannot be ranked by {monitor}");
        return Err(config.locate(
            Error::config("monitor", problem)
                .with_help("rank them by a metric, such as \"monitor\": \"val_accuracy\""),
        ));
    }
    Ok(())
}
