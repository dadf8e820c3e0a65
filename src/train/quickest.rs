//! Which of several devices is the quickest for a job: its training step is measured on each, once,
//! and what was measured is kept.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::network_of;
use super::step_time::time_step;
use crate::backend::gpu::tuning::WGPU_VERSION;
use crate::backend::{Candidate, Chosen, DeviceDescription, Found};
use crate::cache;
use crate::config::{Settings, TaskSettings};
use crate::data::Preprocessing;
use crate::error::{Error, Result};
use crate::report::count;

/// Seconds that all candidates together are measured for, beyond the time to load the job on them.
const PATIENCE: f64 = 0.6;

/// A file is never near this long.
const MOST_BYTES: u64 = 1 << 16;

/// What the answer hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Key {
    /// wgfit's version, and wgpu's.
    versions: [String; 2],
    /// Threads of the CPU backend.
    threads: usize,
    /// The candidates: name, backend, driver, kind.
    devices: Vec<[String; 4]>,
    /// The shapes of the job, and what its step does.
    job: String,
}

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    key: Key,
    /// Rows a second on each candidate, all members counted; none where the job does not run.
    samples_per_second: Vec<Option<f64>>,
}

/// What a step of the job is made of; numbers such as the learning rate take no time.
fn job(settings: &Settings, task: &TaskSettings, preprocessing: &Preprocessing) -> Result<String> {
    let network = network_of(settings, preprocessing)?;
    let layers: Vec<String> = network
        .layers
        .iter()
        .map(|layer| {
            let shape = &layer.shape;
            format!(
                "{}:{}:{}:{}:{}:{}{}",
                layer.units,
                shape.row_activation.map_or(shape.activation.row.name, |row| row.name),
                shape.normalization.map_or("", |settings| settings.row.name),
                u8::from(shape.dropout > 0.0) + u8::from(shape.noise > 0.0),
                shape.residual,
                shape.max_norm.is_some(),
                shape.sharing.map_or(String::new(), |own| format!(":{own:?}")),
            )
        })
        .collect();
    let tables = network.embeddings.iter().map(|own| (own.shape.categories, own.shape.size));
    let tables: String = tables.map(|(rows, size)| format!("+{rows}x{size}")).collect();
    let (optimizer, training) = (&settings.optimizer, &settings.training);
    Ok(format!(
        "{} members of {}{} {}; {} of {} targets; {} {:?} {:?} average {} accumulate {} logs {}; {} \
         rows, {}, weights {}",
        settings.members,
        network.inputs,
        tables,
        layers.join(" "),
        task.loss.row.name,
        preprocessing.target_width(),
        optimizer.row.name,
        optimizer.form,
        optimizer.clip.map(|(clip, _)| clip),
        training.average.is_some(),
        training.accumulate,
        settings.log_every_steps > 0,
        training.batch_size,
        training.precision.name(),
        preprocessing.weight_column().is_some(),
    ))
}

impl Key {
    fn file(&self) -> String {
        let named = serde_json::to_vec(self).unwrap_or_default();
        let hash = Sha256::digest(&named);
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("quickest-{hash}.json")
    }

    fn kept(&self, folder: &Path) -> Option<Vec<Option<f64>>> {
        let bytes = cache::read(folder, &self.file(), MOST_BYTES)?;
        let measured: Measured = serde_json::from_slice(&bytes).ok()?;
        let rates = measured.samples_per_second;
        let sound = rates.iter().flatten().all(|rate| rate.is_finite() && *rate > 0.0);
        (measured.key == *self && rates.len() == self.devices.len() && sound).then_some(rates)
    }
}

/// The one that was found, or of several the quickest for the job; measured where the cache folder
/// has no answer.
///
/// # Errors
/// When the job runs on none of them: what the last one says.
pub fn quickest(
    found: Found,
    settings: &Settings,
    task: &TaskSettings,
    preprocessing: &Preprocessing,
    folder: Option<PathBuf>,
) -> Result<Chosen> {
    let candidates = match found {
        Found::One(chosen) => return Ok(chosen),
        Found::Several(candidates) => candidates,
    };
    // What computes wrong is not quick.
    let is_wrong = |candidate: &Candidate| !candidate.backend.wrong_throughout().is_empty();
    let (wrong, candidates): (Vec<_>, Vec<_>) = candidates.into_iter().partition(is_wrong);
    let left_out = wrong.iter().map(|candidate| {
        let kernels = candidate.backend.wrong_throughout().join(", ");
        let name = &candidate.description.name;
        format!("{name} computes {kernels} wrong: it is not tried; more by `wgfit verify`")
    });
    let left_out: Vec<String> = left_out.collect();
    let key = Key {
        versions: [env!("CARGO_PKG_VERSION"), WGPU_VERSION].map(str::to_owned),
        threads: candidates.iter().map(|candidate| candidate.threads).sum(),
        devices: candidates.iter().map(|candidate| identity(&candidate.description)).collect(),
        job: job(settings, task, preprocessing)?,
    };
    let (rates, when) = match folder.as_ref().and_then(|folder| key.kept(folder)) {
        Some(rates) => (rates, "measured before"),
        None => {
            let patience = PATIENCE / candidates.len() as f64;
            let mut refusal = None;
            let mut rates = Vec::new();
            for candidate in &candidates {
                let backend = candidate.backend.as_ref();
                match time_step(settings, task, preprocessing, backend, patience) {
                    Ok(time) => rates.push(Some(time.samples_per_second)),
                    // It may be too large for one of them.
                    Err(error) => {
                        rates.push(None);
                        refusal = Some(error);
                    }
                }
            }
            if let (true, Some(error)) = (rates.iter().all(Option::is_none), refusal) {
                return Err(error);
            }
            if let Some(folder) = &folder {
                let measured = Measured { key: key.clone(), samples_per_second: rates.clone() };
                if let Ok(bytes) = serde_json::to_vec_pretty(&measured) {
                    // What cannot be kept is measured again.
                    let _ = cache::write(folder, &key.file(), &bytes);
                }
            }
            (rates, "measured")
        }
    };
    let mut chosen = choose(candidates, &rates, when)?;
    chosen.warnings.extend(left_out);
    Ok(chosen)
}

fn identity(device: &DeviceDescription) -> [String; 4] {
    let DeviceDescription { name, backend, driver, kind } = device.clone();
    [name, backend, driver, kind]
}

/// Takes the quickest, and says why: beside the CPU, or beside the next.
fn choose(candidates: Vec<Candidate>, rates: &[Option<f64>], when: &str) -> Result<Chosen> {
    let rate = |at: usize| rates.get(at).copied().flatten().unwrap_or(0.0);
    let best = (0..candidates.len()).max_by(|a, b| rate(*a).total_cmp(&rate(*b)));
    let best = best.ok_or_else(|| Error::internal("there is no candidate"))?;
    let is_cpu = |at: &usize| candidates[*at].description.backend == "cpu";
    let others = || (0..candidates.len()).filter(|at| *at != best);
    let beside = others()
        .find(is_cpu)
        .or_else(|| others().max_by(|a, b| rate(*a).total_cmp(&rate(*b))))
        .map(|at| (&candidates[at].description, rate(at)));
    let reason = match beside {
        Some((other, slower)) if slower > 0.0 => {
            let whose =
                if other.backend == "cpu" { "the CPU".to_owned() } else { other.name.clone() };
            format!(
                "{:.1}x {whose}'s {} samples/s, {when}",
                rate(best) / slower,
                count(slower as u64)
            )
        }
        Some((other, _)) => format!("{} cannot run this job", other.name),
        None => "the only one".to_owned(),
    };
    let DeviceDescription { name, backend, kind, .. } = &candidates[best].description;
    let why = match backend.as_str() {
        "cpu" => format!("cpu: {name}; auto: {reason}"),
        _ => format!("{name} ({backend}, {kind}); auto: {reason}"),
    };
    let chosen = candidates.into_iter().nth(best);
    let chosen = chosen.ok_or_else(|| Error::internal("the candidate is gone"))?;
    let warnings = chosen.backend.warnings().to_vec();
    Ok(Chosen { backend: chosen.backend, why, warnings })
}
