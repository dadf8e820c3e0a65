//! What a device reaches: the rates that the time of a call is held against.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use crate::backend::{Backend, Clock, DeviceDescription, Executor};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::loss::LossSettings;
use crate::catalog::{loss, optimizer};
use crate::error::{Error, Result};
use crate::network::{LayerShape, Network};
use crate::program::{
    BufferId, Contents, Cost, MemberState, Pass, PassKind, Plan, PlanRequest, Precision, ProgramId,
    StepSettings,
};

/// Fewest and most words of the buffers whose copy gives the bandwidth: 64 MiB are more than caches
/// hold.
const SMALLEST_COPY: usize = 64 << 10;
const LARGEST_COPY: usize = 16 << 20;

/// Words copied between two waits.
const COPIED_IN_ONE_GO: usize = 32 << 20;

/// Seconds that one figure may be measured for.
const PATIENCE: f64 = 0.5;

/// Fewest and most repetitions of a measurement, of which the median is taken.
const REPETITIONS: std::ops::RangeInclusive<usize> = 5..=51;

/// What a device reaches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Operations a second of a square `dense_forward`.
    pub flops_per_second: f64,
    /// Rows, columns and depth of that product.
    pub product_size: usize,
    /// Bytes a second, read and written, of copies from buffer to buffer.
    pub bytes_per_second: f64,
    /// What measured the calls and the step.
    pub clock: Clock,
}

/// Times of a few repetitions: as many as there is patience for.
pub(super) fn repeated(mut measure: impl FnMut() -> Result<f64>) -> Result<Vec<f64>> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < *REPETITIONS.end()
        && (times.len() < *REPETITIONS.start() || begun.elapsed().as_secs_f64() < PATIENCE)
    {
        times.push(measure()?);
    }
    Ok(times)
}

pub(super) fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Rows, columns and depth of the product that a device is measured by: long enough for it, and
/// some tens of milliseconds at most.
pub fn product_size(device: &DeviceDescription) -> usize {
    match device.kind.as_str() {
        "software" => 512,
        "cpu" => 1024,
        "integrated" => 2048,
        _ => 4096,
    }
}

/// What the device reaches in a large product, and in copies of what a step moves.
///
/// # Errors
/// Those of the device.
pub fn measure_rates(backend: &dyn Backend, step: &Cost) -> Result<Rates> {
    let size = product_size(backend.device());
    let (flops_per_second, clock) = measure_product(backend, size)?;
    let bytes_per_second = measure_copy(backend, copied_words(backend.device(), step))?;
    Ok(Rates { flops_per_second, product_size: size, bytes_per_second, clock })
}

/// What it costs to have a device do anything at all, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overheads {
    /// Of one call among many, that has next to nothing to do.
    pub call_seconds: f64,
    /// From handing over one call to knowing that it is done, beyond that call and a readback.
    pub submit_seconds: f64,
    /// To read one number back from a device that has nothing else to do.
    pub readback_seconds: f64,
}

/// Calls among which one is measured.
const MANY_CALLS: usize = 1024;

/// What it costs to have a device do anything at all.
///
/// # Errors
/// Those of the device.
pub fn measure_overheads(backend: &dyn Backend) -> Result<Overheads> {
    let Loaded { mut executor, program, output, .. } = load_product(backend, 4)?;
    let mut seconds = |calls: usize| {
        host_seconds(|| {
            if calls > 0 {
                executor.run(program, calls)?;
            }
            executor.read(&[(output, 1)]).map(drop)
        })
    };
    let (none, one, many) = (seconds(0)?, seconds(1)?, seconds(MANY_CALLS)?);
    let call_seconds = (many - one).max(0.0) / (MANY_CALLS - 1) as f64;
    Ok(Overheads {
        call_seconds,
        submit_seconds: (one - none - call_seconds).max(0.0),
        readback_seconds: none,
    })
}

/// Bytes a second, read and written, of copies that are larger than caches hold.
///
/// # Errors
/// Those of the device.
pub fn measure_bandwidth(backend: &dyn Backend) -> Result<f64> {
    measure_copy(backend, LARGEST_COPY)
}

/// Operations a second of a layer of `size` units over as many inputs and rows.
///
/// # Errors
/// Those of the device.
pub fn measure_product(backend: &dyn Backend, size: usize) -> Result<(f64, Clock)> {
    let Loaded { mut executor, program, flops, .. } = load_product(backend, size)?;
    executor.run_timed(program, 1)?;
    let seconds = median(&mut repeated(|| executor.run_timed(program, 1))?);
    Ok((flops / seconds, executor.clock()))
}

/// A program of one matrix product.
struct Loaded {
    executor: Box<dyn Executor>,
    program: ProgramId,
    output: BufferId,
    flops: f64,
}

/// A layer of `size` units over as many inputs and rows, ready to be run.
fn load_product(backend: &dyn Backend, size: usize) -> Result<Loaded> {
    // The second layer: the first would gather its rows.
    let hidden = LayerShape::new(size, ActivationSettings::linear());
    let network = Network::new(1, 1, &[hidden], size)?;
    let row = loss::find("mse").ok_or_else(|| Error::internal("there is no mse"))?;
    let mut plan = Plan::new(&PlanRequest {
        network: &network,
        loss: LossSettings::new(row, optimizer::Convention::Torch),
        terms: Vec::new(),
        target_width: size,
        update: None,
        gradient_statistics: false,
        fuses: false,
        precision: Precision::F32,
        splits: false,
        passes: vec![Pass {
            name: "rows".to_owned(),
            set: "rows".to_owned(),
            kind: PassKind::Predict,
            resident_rows: size,
            batch_rows: size,
            table_steps: 1,
            weighted: false,
            collected_rows: 0,
        }],
    })?;
    let program = plan.program("predict.rows")?;
    plan.programs[program.0].calls.retain(|call| call.subject == "layers.1");
    let call = plan.programs[program.0].calls.first();
    let call = call.ok_or_else(|| Error::internal("the plan has no second layer"))?;
    let flops = call.cost(size as u64).flops as f64;
    let mut executor = backend.load(&plan)?;
    // Numbers of no particular kind: products of zeros may be quicker.
    let some = |count: usize| (0..count).map(|i| (i * 37 % 101) as f64 / 101.0 - 0.5).collect();
    let values: Vec<f64> = some(network.stride);
    executor.write_reals(plan.buffer("parameters")?, &values)?;
    let values: Vec<f64> = some(size * size);
    executor.write_reals(plan.buffer("activation.0")?, &values)?;
    let step = StepSettings { rows: size as u32, step: 1, batch: 1, ..StepSettings::default() };
    executor.write_steps(plan.buffer("predict.rows.steps")?, &[step])?;
    executor.write_state(plan.buffer("predict.rows.state")?, &[MemberState::START])?;
    Ok(Loaded { executor, program, output: plan.buffer("activation.1")?, flops })
}

/// Words of each side of the copy that gives the bandwidth. A processor has what a step moves in
/// its caches, so that the copy is as large as that.
fn copied_words(device: &DeviceDescription, step: &Cost) -> usize {
    match device.kind.as_str() {
        "cpu" | "software" => {
            let moved = (step.bytes_read + step.bytes_written) / 8;
            (moved as usize).clamp(SMALLEST_COPY, LARGEST_COPY)
        }
        _ => LARGEST_COPY,
    }
}

/// Bytes a second, read and written, of copies of so many words.
fn measure_copy(backend: &dyn Backend, words: usize) -> Result<f64> {
    let words = words.min(backend.capacity().buffer_bytes as usize / 4);
    // Many in one go, so that the wait for the last hardly counts.
    let copies = (COPIED_IN_ONE_GO / words).max(4);
    let ones: Arc<[f32]> = vec![1.0; words].into();
    let seconds = if backend.device().backend == "cpu" {
        let mut to = vec![0.0_f32; words];
        host_seconds(|| {
            for _ in 0..copies {
                to.copy_from_slice(std::hint::black_box(&ones));
                std::hint::black_box(&mut to);
            }
            Ok(())
        })?
    } else {
        let mut plan = Plan::empty(1);
        let from = plan.add("from", Contents::Reals, words);
        let to = plan.add("to", Contents::Reals, words);
        let mut executor = backend.load(&plan)?;
        executor.share_reals(from, &ones)?;
        host_seconds(|| {
            for _ in 0..copies {
                executor.copy(from, to, 0, words)?;
            }
            executor.read(&[(to, 1)]).map(drop)
        })?
    };
    Ok((2 * 4 * words * copies) as f64 / seconds)
}

/// The median time of something, on the host's clock, after it was done once.
fn host_seconds(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    Ok(median(&mut repeated(|| {
        let begun = Instant::now();
        work()?;
        Ok(begun.elapsed().as_secs_f64())
    })?))
}
