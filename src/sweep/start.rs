//! What the networks of the trials look like before their first step: the signal that goes forward through
//! the layers, and the gradient that comes back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Sweep;
use crate::backend::cpu::CpuBackend;
use crate::config::Settings;
use crate::error::Result;
use crate::train::trials::{TrialSets, look_at_starts};

/// Trials that are looked at, the first ones.
const MOST: usize = 500;

/// A line of starts.jsonl. All lists are over layers, the output layer last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartRecord {
    /// The trial, from 0.
    pub trial: usize,
    /// The standard deviation of what a layer puts out, over all rows and units, of the first member.
    pub outputs: Vec<f64>,
    /// What of it differs between rows: the root of the mean over units of their variance over the rows.
    pub signal: Vec<f64>,
    /// The standard deviation of the gradient of a row's loss by what a layer's matrix product gives.
    pub gradients: Vec<f64>,
}

/// Looks at the trials' networks on the CPU, on a batch of training rows.
///
/// # Errors
/// Those of the data and of the starting weights.
pub(super) fn starts(sweep: &mut Sweep) -> Result<Vec<StartRecord>> {
    let mut records = Vec::new();
    let cpu = CpuBackend::new()?;
    for group in 0..sweep.groups.len() {
        let trials: Vec<usize> =
            sweep.groups[group].trials.iter().copied().filter(|trial| *trial < MOST).collect();
        if trials.is_empty() {
            continue;
        }
        let settings: Vec<Arc<Settings>> =
            trials.iter().map(|trial| Arc::clone(&sweep.trials[*trial].settings)).collect();
        let dataset = sweep.dataset(&settings[0])?.clone();
        let own = &sweep.groups[group];
        let common = own.with_members(own.width);
        let sets = TrialSets::new(&common, dataset, &cpu)?;
        let looks = look_at_starts(&common, &own.task, &sets, &cpu, &settings)?;
        records.extend(trials.iter().zip(looks).map(|(trial, layers)| StartRecord {
            trial: *trial,
            outputs: layers.iter().map(|layer| first(&layer.outputs.deviation)).collect(),
            signal: layers.iter().map(|layer| first(&layer.signal)).collect(),
            gradients: layers.iter().map(|layer| first(&layer.deltas.deviation)).collect(),
        }));
    }
    records.sort_by_key(|record| record.trial);
    Ok(records)
}

fn first(of_members: &[f64]) -> f64 {
    of_members.first().copied().filter(|value| value.is_finite()).unwrap_or(0.0)
}
