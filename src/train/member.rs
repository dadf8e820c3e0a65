//! What each member of a training has of its own: its numbers, its random streams, when it began.

use std::sync::Arc;

use super::EarlyStopping;
use super::order::Draws;
use crate::catalog::schedule::reduce_on_plateau::ReduceOnPlateau;
use crate::config::{Settings, TaskSettings};

/// A member of a training. What shapes the network and the program is the training's; the numbers that a
/// step is told, the starting weights and every random number are the member's.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Its settings.
    pub(super) settings: Arc<Settings>,
    /// Which member of a run of these settings it is: its random numbers are drawn from the stream
    /// (seed, this).
    pub(super) stream: u32,
    /// Epochs of the training before its first one; below 0 where it had more before.
    pub(super) began: i64,
    /// Whether it stands for a lane that no trial holds.
    pub(super) is_idle: bool,
}

impl Member {
    /// The members of a plain run, which differ by their random numbers alone.
    pub(super) fn all_of(settings: &Settings) -> Vec<Self> {
        let settings = Arc::new(settings.clone());
        let member =
            |stream| Self { settings: Arc::clone(&settings), stream, began: 0, is_idle: false };
        (0..settings.members as u32).map(member).collect()
    }

    /// The number of its own epoch, from 1, in an epoch of the training.
    pub(super) fn own_epoch(&self, number: usize) -> usize {
        if self.is_idle {
            return 1;
        }
        usize::try_from(number as i64 - self.began).unwrap_or(1)
    }

    /// Its early stopping at its beginning, where that is on.
    pub(super) fn early_stopping(&self, task: &TaskSettings) -> Option<EarlyStopping> {
        let (monitor, stopping) = (task.monitor?, self.settings.early_stopping.as_ref()?);
        Some(EarlyStopping::new(stopping, monitor.better))
    }

    /// Its learning rate by `reduce_on_plateau` at its beginning, where that is the schedule.
    pub(super) fn plateau(&self, task: &TaskSettings) -> Option<ReduceOnPlateau> {
        let (plateau, monitor) = (self.settings.schedule.plateau()?, task.plateau_monitor?);
        let base = self.settings.optimizer.hyperparameters.learning_rate;
        Some(ReduceOnPlateau::new(plateau, monitor.better, base))
    }

    /// What its optimizer's moments begin with.
    pub(super) fn initial_moments(&self) -> [f64; 3] {
        let optimizer = &self.settings.optimizer;
        (optimizer.row.initial)(&optimizer.hyperparameters)
    }

    /// What the order of its rows is drawn from in an epoch of the training.
    pub(super) fn draws(&self, number: usize) -> Draws {
        let epoch = u32::try_from(self.own_epoch(number)).unwrap_or(u32::MAX);
        // The heads of one network go through the rows in one order.
        let member = self.stream - self.stream % self.settings.model.heads as u32;
        Draws { seed: self.settings.seed, epoch, member }
    }

    /// Whether it goes through the same steps with the same numbers as another, of folds of one size.
    fn keeps_step_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.settings, &other.settings)
            && self.began == other.began
            && self.is_idle == other.is_idle
    }
}

/// Members whose steps are told the same numbers, apart from what a plateau makes of their rates: those of
/// one fold that share settings and began together.
pub(super) fn cohorts(members: &[Member], folds: usize) -> Vec<Vec<usize>> {
    let mut cohorts: Vec<Vec<usize>> = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let same = |cohort: &&mut Vec<usize>| {
            cohort[0] % folds == at % folds && members[cohort[0]].keeps_step_with(member)
        };
        match cohorts.iter_mut().find(same) {
            Some(cohort) => cohort.push(at),
            None => cohorts.push(vec![at]),
        }
    }
    cohorts
}
