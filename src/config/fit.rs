//! What can be decided only when the task is known.

use super::data::{TargetScaling, Task};
use super::settings::Settings;
use super::validate_model::missing;
use super::validate_training::check_monitor;
use super::written_training::Mode;
use crate::catalog::loss::{self, LossSettings};
use crate::catalog::metric::{self, Better, MetricRow};
use crate::error::{Error, Result};

/// The part of the settings that the task decides.
#[derive(Debug, Clone)]
pub struct TaskSettings {
    /// The task.
    pub task: Task,
    /// The loss.
    pub loss: LossSettings,
    /// The metrics.
    pub metrics: Vec<&'static MetricRow>,
    /// What early stopping watches, unless it is off.
    pub monitor: Option<Monitor>,
    /// What the schedule `reduce_on_plateau` watches, when that is the schedule.
    pub plateau_monitor: Option<Monitor>,
}

/// A value that early stopping or a schedule watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monitor {
    /// Whether it is of the validation set, rather than of the training set.
    pub of_validation: bool,
    /// What of it.
    pub quantity: Quantity,
    /// Which way is better.
    pub better: Better,
}

/// A value that early stopping can watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The loss.
    Loss,
    /// A metric, by its index in [`TaskSettings::metrics`].
    Metric(usize),
}

impl Settings {
    /// Looks up what depends on the task, and checks that it fits.
    ///
    /// # Errors
    /// When the loss, a metric, the target's scaling or the monitor does not fit the task.
    pub fn fit_task(&self, task: Task) -> Result<TaskSettings> {
        self.fitted(task).map_err(|error| self.locations.locate(error))
    }

    fn fitted(&self, task: Task) -> Result<TaskSettings> {
        let convention = self.optimizer.convention;
        let loss = match self.loss {
            Some(loss) => loss,
            None => {
                let name = loss::default_for(task);
                LossSettings::new(loss::find(name).ok_or_else(|| missing(name))?, convention)
            }
        };
        if !loss.row.tasks.contains(&task) {
            let fitting = loss::LOSSES.iter().filter(|row| row.tasks.contains(&task));
            return Err(unfit("loss", loss.row.name, task, fitting.map(|row| row.name).collect()));
        }
        let output = self.model.output.activation.name();
        if output != "linear" && task != Task::Regression {
            let path = "model.output.activation";
            return Err(unfit(path, output, task, vec!["linear"]).with_help(
                "the loss takes the plain outputs; predictions are made probabilities anyway",
            ));
        }
        let metrics = self.metrics.clone().unwrap_or_else(|| metric::defaults_for(task));
        for (i, row) in metrics.iter().enumerate() {
            if !row.tasks.contains(&task) {
                let fitting = metric::METRICS.iter().filter(|row| row.tasks.contains(&task));
                let names = fitting.map(|row| row.name).collect();
                return Err(unfit(&format!("metrics[{i}]"), row.name, task, names));
            }
        }
        if self.data.target_scaling == TargetScaling::Standard {
            if task != Task::Regression {
                return Err(unfit("data.target_scaling", "standard", task, vec!["auto", "none"]));
            }
            if !self.scales_targets(&loss) {
                return Err(Error::config(
                    "data.target_scaling",
                    format!("scaled targets make no sense to {}", loss.row.name),
                )
                .with_help("leave it out, or give \"none\""));
            }
        }
        let monitor = match &self.early_stopping {
            Some(stopping) => {
                let path = "early_stopping.monitor";
                Some(Monitor::find(path, &stopping.monitor, stopping.mode, &metrics)?)
            }
            None => None,
        };
        let plateau_monitor = match self.schedule.plateau() {
            Some(plateau) => {
                Some(Monitor::find("schedule.monitor", &plateau.monitor, plateau.mode, &metrics)?)
            }
            None => None,
        };
        Ok(TaskSettings { task, loss, metrics, monitor, plateau_monitor })
    }

    /// Whether `auto` scales the targets of a regression: not where the loss or the output's
    /// activation has bounds of its own.
    pub fn scales_targets(&self, loss: &LossSettings) -> bool {
        loss.row.takes_scaled_targets() && self.model.output.activation.name() == "linear"
    }
}

impl Monitor {
    /// Looks up what is watched, such as `val_loss`; `path` is the key that says it.
    ///
    /// # Errors
    /// When it is neither the loss nor one of the metrics.
    pub fn find(
        path: &str,
        named: &str,
        mode: Mode,
        metrics: &[&'static MetricRow],
    ) -> Result<Self> {
        let names: Vec<_> = metrics.iter().map(|row| row.name).collect();
        check_monitor(path, named, &names)?;
        let (of_validation, name) = match named.strip_prefix("val_") {
            Some(name) => (true, name),
            None => (false, named),
        };
        let index = names.iter().position(|metric| *metric == name);
        let better = match mode {
            Mode::Min => Better::Smaller,
            Mode::Max => Better::Larger,
            Mode::Auto => index.map_or(Better::Smaller, |i| metrics[i].better),
        };
        let quantity = index.map_or(Quantity::Loss, Quantity::Metric);
        Ok(Self { of_validation, quantity, better })
    }
}

fn unfit(path: &str, name: &str, task: Task, fitting: Vec<&str>) -> Error {
    Error::config(path, format!("{name:?} does not fit a {task} task"))
        .with_help(format!("these do: {}", fitting.join(", ")))
}
