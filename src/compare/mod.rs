//! The same training on several devices and in f64, in lockstep: whether each computes right, how
//! fast it is, and from where on a GPU is worth it.

mod band;
mod break_even;
mod document;
mod growth;
mod layout;
mod lockstep;
mod oracle;
mod pacing;
mod page;
mod pool;
pub mod result;
mod speed;
mod text;
mod verdict;

pub use document::{Document, Section, document};
pub use page::to_html;

use crate::backend::Backend;
use crate::config::{Settings, TaskSettings};
use crate::data::Dataset;
use crate::error::Result;
use result::{Axis, BreakEven, Comparison, Job};

/// What is trained.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The config's name.
    pub name: &'a str,
    /// The settings.
    pub settings: &'a Settings,
    /// What the task decides of them.
    pub task: &'a TaskSettings,
    /// The data; only the training rows are looked at.
    pub dataset: &'a Dataset,
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Steps to compare, if there is time.
    pub steps: u64,
    /// Seconds that those may take, about.
    pub seconds: f64,
    /// Seconds that each search for a break-even may take, about; 0: there is none.
    pub break_even_seconds: f64,
}

/// Is told how a comparison goes.
pub trait Watch {
    /// A step of so many begins.
    fn step(&self, _step: u64, _steps: u64) {}
    /// Something else begins.
    fn phase(&self, _what: &str) {}
    /// Whether it should end.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Compares.
///
/// # Errors
/// Those of the devices; a network that does not fit one of them.
pub fn compare(
    target: Target,
    backends: &[&dyn Backend],
    effort: Effort,
    watch: &dyn Watch,
) -> Result<Comparison> {
    let (sides, layout) = lockstep::load(&target, backends)?;
    let stepper = &sides[0].stepper;
    let network = stepper.network();
    let settings = target.settings;
    let total = (stepper.epoch_batches() * settings.training.epochs) as u64;
    let job = Job {
        network: network.shape(),
        parameters: network.parameters() as u64,
        members: network.members as u64,
        heads: network.heads as u64,
        task: target.dataset.preprocessing.task().to_string(),
        loss: target.task.loss.row.name.to_owned(),
        optimizer: settings.optimizer.row.name.to_owned(),
        precision: settings.training.precision.name().to_owned(),
        batch_rows: stepper.batch_rows() as u64,
        accumulate: settings.training.accumulate as u64,
        rows: target.dataset.train.rows as u64,
    };
    let wanted =
        lockstep::Wanted { steps: effort.steps.min(total).max(1), seconds: effort.seconds };
    let mut taken = lockstep::take(sides, &layout, &wanted, watch)?;
    for side in &mut taken.sides {
        let goes_on = side.run.not_finite.is_none() && taken.reference.not_finite.is_none();
        if goes_on && !watch.interrupted() {
            watch.phase(&format!("measuring {}", side.run.name));
            speed::measure(side, taken.steps, total)?;
        }
    }
    let limit = match taken.limit {
        None if taken.steps == total && total < effort.steps => {
            Some(format!("the training has {total} steps"))
        }
        limit => limit,
    };
    // Their buffers make room for those of the searches.
    let devices = taken.sides.into_iter().map(|side| side.run).collect();
    let break_even = break_evens(target, backends, effort.break_even_seconds, watch)?;
    let mut comparison = Comparison {
        config: target.name.to_owned(),
        job,
        asked_steps: effort.steps,
        steps: taken.steps,
        checked_steps: taken.checked,
        limit,
        reference: taken.reference,
        devices,
        break_even,
        verdict: Vec::new(),
    };
    comparison.verdict = verdict::verdict(&comparison);
    Ok(comparison)
}

/// Searches along both axes, on the CPU and each GPU.
fn break_evens(
    target: Target,
    backends: &[&dyn Backend],
    seconds: f64,
    watch: &dyn Watch,
) -> Result<Vec<BreakEven>> {
    let is_cpu = |backend: &&&dyn Backend| backend.device().backend == "cpu";
    let mut all = Vec::new();
    let Some(cpu) = backends.iter().find(is_cpu).filter(|_| seconds > 0.0) else { return Ok(all) };
    for axis in [Axis::BatchRows, Axis::HiddenUnits] {
        let mut search = break_even::Search::new(target, *cpu, axis);
        for gpu in backends.iter().filter(|backend| !is_cpu(backend)) {
            if watch.interrupted() {
                break;
            }
            watch.phase(&format!("looking for the break-even of {}", gpu.device().name));
            all.extend(search.run(*gpu, seconds, watch)?);
        }
    }
    Ok(all)
}
