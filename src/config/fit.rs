//! What can be decided only when the task is known.

use super::data::{TargetScaling, Task};
use super::settings::Settings;
use super::validate_training::check_monitor;
use super::written::Mode;
use crate::catalog::loss::{self, LossRow};
use crate::catalog::metric::{self, Better, MetricRow};
use crate::error::{Error, Result};

/// The part of the settings that the task decides.
#[derive(Debug, Clone)]
pub struct TaskSettings {
    /// The task.
    pub task: Task,
    /// The loss.
    pub loss: &'static LossRow,
    /// The metrics.
    pub metrics: Vec<&'static MetricRow>,
    /// What early stopping watches, unless it is off.
    pub monitor: Option<Monitor>,
}

/// What early stopping watches.
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
        let loss = self.loss.unwrap_or_else(|| loss::default_for(task));
        if !loss.tasks.contains(&task) {
            let fitting = loss::LOSSES.iter().filter(|row| row.tasks.contains(&task));
            return Err(unfit("loss", loss.name, task, fitting.map(|row| row.name).collect()));
        }
        let metrics = self.metrics.clone().unwrap_or_else(|| metric::defaults_for(task));
        for (i, row) in metrics.iter().enumerate() {
            if !row.tasks.contains(&task) {
                let fitting = metric::METRICS.iter().filter(|row| row.tasks.contains(&task));
                let names = fitting.map(|row| row.name).collect();
                return Err(unfit(&format!("metrics[{i}]"), row.name, task, names));
            }
        }
        if self.data.target_scaling == TargetScaling::Standard && task != Task::Regression {
            return Err(unfit("data.target_scaling", "standard", task, vec!["auto", "none"]));
        }
        let monitor = self.monitor(&metrics)?;
        Ok(TaskSettings { task, loss, metrics, monitor })
    }

    fn monitor(&self, metrics: &[&'static MetricRow]) -> Result<Option<Monitor>> {
        let Some(stopping) = &self.early_stopping else { return Ok(None) };
        let names: Vec<_> = metrics.iter().map(|row| row.name).collect();
        check_monitor(&stopping.monitor, &names)?;
        let (of_validation, name) = match stopping.monitor.strip_prefix("val_") {
            Some(name) => (true, name),
            None => (false, stopping.monitor.as_str()),
        };
        let index = names.iter().position(|metric| *metric == name);
        let better = match stopping.mode {
            Mode::Min => Better::Smaller,
            Mode::Max => Better::Larger,
            Mode::Auto => index.map_or(Better::Smaller, |i| metrics[i].better),
        };
        let quantity = index.map_or(Quantity::Loss, Quantity::Metric);
        Ok(Some(Monitor { of_validation, quantity, better }))
    }
}

fn unfit(path: &str, name: &str, task: Task, fitting: Vec<&str>) -> Error {
    Error::config(path, format!("{name:?} does not fit a {task} task"))
        .with_help(format!("these do: {}", fitting.join(", ")))
}
