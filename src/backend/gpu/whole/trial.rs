//! Whether whole steps are faster than their calls one by one: measured, on the plan's own buffers.

use std::time::{Duration, Instant};

use bytemuck::Zeroable;

use super::{Loading, Whole, last_update};
use crate::backend::Counters;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::pipelines::Dispatch;
use crate::backend::gpu::recorded::Recorded;
use crate::backend::gpu::stopwatch::{Stopwatch, time};
use crate::backend::gpu::transfer::map;
use crate::error::Result;
use crate::kernels::update::Update;
use crate::program::{BufferId, Call, MemberState, Plan, Program, STEP_WORDS, StepSettings};

/// Times that each form is measured.
const TRIALS: usize = 5;

/// The time after which no further measurement is begun.
const PATIENCE: Duration = Duration::from_millis(150);

/// Whole steps must take less than this share of the calls' time.
const WIN: f64 = 0.97;

/// Steps of a measurement, as far as the table of steps goes.
const STEPS: usize = 64;

/// What a measurement begins with.
struct Start {
    state: (BufferId, Vec<MemberState>),
    steps: (BufferId, Vec<StepSettings<f32>>),
}

impl Start {
    /// Full batches, for as many steps as are measured; the state of a member that has begun.
    fn new(plan: &Plan, program: &Program, rows: u32) -> Option<(Self, usize)> {
        let of = |name: &str| program.calls.iter().find_map(|call: &Call| call.buffer(name));
        let (state, table) = (of("state")?, of("steps")?);
        let rows_of_table = plan.buffers[table.0].words as usize / STEP_WORDS;
        let steps = (rows_of_table / plan.members.max(1)).min(STEPS);
        let row = StepSettings::<f32> {
            rows,
            step: 1,
            updates: 1,
            share: 1.0 / rows as f32,
            epsilon: 1.0,
            coefficients: [1.0; 4],
            ..StepSettings::zeroed()
        };
        let start = Self {
            state: (state, vec![MemberState::START; plan.members]),
            steps: (table, vec![row; steps * plan.members]),
        };
        (steps > 0).then_some((start, steps))
    }
}

/// The seconds of a whole step, where it is faster than its calls. Leaves every buffer as it was when
/// it was new.
pub(super) fn faster_seconds(
    loading: Loading,
    program: &Program,
    calls: &[Dispatch],
    whole: &Whole,
    counters: &mut Counters,
) -> Result<Option<f64>> {
    let Loading { gpu, plan, buffers, .. } = loading;
    let Some(rows) = last_update(program).map(Update::rows) else {
        return Ok(None);
    };
    let Some((start, steps)) = Start::new(plan, program, rows) else { return Ok(None) };
    let stopwatch = if gpu.has_timestamps() { Some(Stopwatch::new(gpu, counters)?) } else { None };
    let queue = &gpu.queue;
    queue.write_buffer(&buffers[start.steps.0.0], 0, bytemuck::cast_slice(&start.steps.1));
    let measure = |form: Recorded, steps: usize| {
        queue.write_buffer(&buffers[start.state.0.0], 0, bytemuck::cast_slice(&start.state.1));
        time(gpu, stopwatch.as_ref(), form, steps)
    };
    let forms = [Recorded::Calls(calls), Recorded::Whole(whole)];
    let mut times = [Vec::new(), Vec::new()];
    let begun = Instant::now();
    // The first run of each brings its code and data to the device.
    for form in forms {
        measure(form, 1)?;
    }
    let warm = [measure(forms[0], 1)?, measure(forms[1], 1)?];
    // No measurement is longer than a share of the time there is.
    let slowest = warm[0].max(warm[1]).max(1e-9);
    let share = PATIENCE.as_secs_f64() / (4 * TRIALS) as f64;
    let steps = ((share / slowest) as usize).clamp(1, steps);
    while times[1].len() < TRIALS && begun.elapsed() < PATIENCE {
        for (form, times) in forms.iter().zip(&mut times) {
            times.push(measure(*form, steps)?);
        }
    }
    // A member that stopped at a loss which is not finite would have made the time of both up.
    let reached = states(gpu, &buffers[start.state.0.0], plan.members, counters)?;
    clear(gpu, buffers)?;
    if reached.iter().any(|state| state.cursor as usize != steps) {
        return Ok(None);
    }
    Ok(match (median(&mut times[0]), median(&mut times[1])) {
        (Some(calls), Some(whole)) if whole < WIN * calls => Some(whole / steps as f64),
        _ => None,
    })
}

/// Where the members stand.
fn states(
    gpu: &Gpu,
    state: &wgpu::Buffer,
    members: usize,
    counters: &mut Counters,
) -> Result<Vec<MemberState>> {
    counters.buffers += 1;
    let bytes = (members * size_of::<MemberState>()) as u64;
    let readback = gpu.scoped("the states of a measurement", || {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("states"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    })?;
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(state, 0, &readback, 0, bytes);
    let copied = gpu.queue.submit([encoder.finish()]);
    map(gpu, &readback, wgpu::MapMode::Read, bytes, Some(copied))?;
    let view = readback.get_mapped_range(0..bytes).map_err(|error| gpu.failure(error))?;
    Ok(bytemuck::pod_collect_to_vec::<u8, MemberState>(&view))
}

/// Fills all buffers with zeros.
fn clear(gpu: &Gpu, buffers: &[wgpu::Buffer]) -> Result<()> {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    for buffer in buffers {
        encoder.clear_buffer(buffer, 0, None);
    }
    let done = gpu.queue.submit([encoder.finish()]);
    gpu.wait(Some(done))
}

fn median(times: &mut [f64]) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}
