//! What a training takes of its data: the sets, as a device holds them, and what follows from their
//! shapes. A device that takes over from another one shares them with it.

use std::sync::Arc;

use super::device_set::Fit;
use super::order::Shuffle;
use super::precision::check_precision;
use super::{DeviceSet, WeightedRows, evaluation_batch, network_of};
use crate::backend::Backend;
use crate::config::Settings;
use crate::data::{Dataset, Folds};
use crate::error::{Error, Result};
use crate::network::Network;

/// The sets of a training.
#[derive(Debug)]
pub(super) struct Sets {
    pub(super) network: Network,
    /// The rows to train on.
    pub(super) train: Arc<DeviceSet>,
    pub(super) validation: Option<Arc<DeviceSet>>,
    pub(super) test: Option<Arc<DeviceSet>>,
    /// The folds of those to train on, where they are cross-validated.
    pub(super) folds: Option<Folds>,
    /// Columns of the targets.
    pub(super) width: usize,
    /// Mean and deviation of each target, where they are scaled.
    pub(super) target_scale: Vec<(f64, f64)>,
    /// Rows of a batch.
    pub(super) batch: usize,
    /// Rows of a batch of an evaluation.
    pub(super) evaluated: usize,
    /// How the rows to train on are shuffled.
    pub(super) shuffle: Shuffle,
    fit: Fit,
}

impl Sets {
    /// Takes a data set, for a backend.
    ///
    /// # Errors
    /// A network that is too large, and data that does not fit the device.
    pub(super) fn new(
        settings: &Settings,
        dataset: Dataset,
        backend: &dyn Backend,
    ) -> Result<Self> {
        let members = settings.members;
        let preprocessing = &dataset.preprocessing;
        let network = network_of(settings, preprocessing)?;
        let (inputs, width) = (preprocessing.inputs(), preprocessing.target_width());
        let batch = settings.training.batch_size.min(dataset.train.rows);
        let evaluated = evaluation_batch(members, batch);
        check_precision(settings, &dataset, backend)?;
        let largest_batch = evaluated.max(batch.saturating_mul(members));
        let shuffle = Shuffle::new(settings.data.shuffle, dataset.chunk_rows, batch);
        let precision = settings.training.precision;
        let fit = Fit { capacity: backend.capacity(), precision, largest_batch, shuffle };
        let set = |name: &str, rows: WeightedRows| {
            let set = DeviceSet::new(name, rows, inputs, width, fit);
            set.map(Arc::new).map_err(|error| settings.locate(error))
        };
        let target_scale = preprocessing.target_scale();
        let convention = settings.optimizer.convention;
        let trained = WeightedRows::trained(dataset.train, &dataset.class_weights, convention);
        let train = set("train", trained)?;
        if dataset.folds.is_some() {
            check_folds(&train)?;
        }
        let other = |name, rows: Option<_>| rows.map(|rows| set(name, rows)).transpose();
        Ok(Self {
            network,
            train,
            validation: other("validation", dataset.validation.map(WeightedRows::from))?,
            test: other("test", dataset.test.map(WeightedRows::from))?,
            folds: dataset.folds,
            width,
            target_scale,
            batch,
            evaluated,
            shuffle,
            fit,
        })
    }

    /// The same for a training of another number of members.
    pub(super) fn for_members(&self, members: usize) -> Self {
        Self {
            network: Network { members, ..self.network.clone() },
            evaluated: evaluation_batch(members, self.batch),
            train: Arc::clone(&self.train),
            validation: self.validation.clone(),
            test: self.test.clone(),
            folds: self.folds.clone(),
            target_scale: self.target_scale.clone(),
            ..*self
        }
    }

    /// The same for a device that has no room for all rows: in windows, which changes no bit. None where
    /// that takes no less.
    pub(super) fn in_windows(&self) -> Option<Self> {
        // The rows of a fold lie anywhere in a set.
        if self.folds.is_some() {
            return None;
        }
        let part = |set: &Arc<DeviceSet>| set.in_windows(&self.fit).map(Arc::new);
        let (train, validation, test) = (
            part(&self.train),
            self.validation.as_ref().and_then(part),
            self.test.as_ref().and_then(part),
        );
        if train.is_none() && validation.is_none() && test.is_none() {
            return None;
        }
        Some(Self {
            network: self.network.clone(),
            train: train.unwrap_or_else(|| Arc::clone(&self.train)),
            validation: validation.or_else(|| self.validation.clone()),
            test: test.or_else(|| self.test.clone()),
            folds: None,
            target_scale: self.target_scale.clone(),
            ..*self
        })
    }
}

/// Refuses folds of a set that the device does not hold whole.
fn check_folds(set: &DeviceSet) -> Result<()> {
    if set.is_resident() {
        return Ok(());
    }
    let problem = format!(
        "the device holds {} of {} rows at once, and folds need all of them there",
        set.resident_rows, set.rows
    );
    Err(Error::config("data.folds", problem)
        .with_help("give data.validation instead, or train on --device cpu"))
}
