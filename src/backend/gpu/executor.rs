//! A plan on a GPU: its buffers, its dispatches, and the queue that is kept short.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfFloatVecExt;

use super::device::Gpu;
use super::memory;
use super::pace::{Longest, Pace};
use super::pieces::{Apart, submit};
use super::pipelines::{Dispatch, build};
use super::recorded::{Recorded, record};
use super::stopwatch::{Stopwatch, time};
use super::tile::{Product, Tiles};
use super::transfer::{Transfer, contained, copied_bytes};
use super::whole::{Choice, Loading, Whole};
use crate::backend::{CallForm, ChosenTile, Clock, Contained, Counters, Executor, Readback};
use crate::error::{Error, Result};
use crate::program::{
    BufferId, BufferSpec, Contents, LayerSettings, LossScale, MemberState, Plan, Program,
    ProgramId, StepSettings,
};

/// Submits under way: the device is never idle, the host never far ahead.
const IN_FLIGHT: usize = 3;

/// A program, ready to be run.
#[derive(Debug)]
struct Loaded {
    calls: Vec<Dispatch>,
    /// What is run in place of the calls.
    whole: Option<Whole>,
    pace: Pace,
    /// Where a step takes too long in one submission.
    apart: Apart,
}

impl Loaded {
    fn form(&self) -> Recorded<'_> {
        self.whole.as_ref().map_or(Recorded::Calls(&self.calls), Recorded::Whole)
    }
}

/// The tile of every product of a plan.
fn tiles_of(plan: &Plan, tiles: &Tiles) -> Vec<ChosenTile> {
    let of = |program: &Program| {
        let products = program.calls.iter().filter_map(|call| Some((call, Product::of(call)?)));
        let chosen = products.map(|(call, product)| ChosenTile {
            program: program.name.clone(),
            call: format!("{} of {}", call.kernel.name(), call.subject),
            tile: tiles.of(&product).to_string(),
        });
        chosen.collect::<Vec<_>>()
    };
    plan.programs.iter().flat_map(of).collect()
}

/// A submission under way: so many steps of a program.
#[derive(Debug)]
struct InFlight {
    submission: wgpu::SubmissionIndex,
    program: usize,
    steps: usize,
}

/// A loaded plan.
#[derive(Debug)]
pub(super) struct GpuExecutor {
    gpu: Arc<Gpu>,
    contents: Vec<Contents>,
    /// Where each buffer begins in its memory, in bytes.
    firsts: Vec<u64>,
    buffers: Vec<wgpu::Buffer>,
    programs: Vec<Loaded>,
    checked: bool,
    longest: Longest,
    transfer: Transfer,
    in_flight: VecDeque<InFlight>,
    only_measures: bool,
    last_done: Option<Instant>,
    /// Made when a time is first asked for.
    stopwatch: Option<Stopwatch>,
    counters: Counters,
    tiles: Vec<ChosenTile>,
    warnings: Vec<String>,
}

impl GpuExecutor {
    /// `warning` is of the choice of tiles.
    pub(super) fn new(
        gpu: Arc<Gpu>,
        plan: &Plan,
        tiles: &Tiles,
        checked: bool,
        choice: &mut Choice,
        longest: Longest,
        warning: Option<String>,
    ) -> Result<Self> {
        let mut counters = Counters::default();
        let buffers = memory::buffers(&gpu, plan, &mut counters)?;
        let calls = build(&gpu, plan, &buffers, tiles, checked, &mut counters)?;
        let loading = Loading { gpu: &gpu, plan, buffers: &buffers, checked };
        let mut programs = Vec::with_capacity(calls.len());
        for (program, calls) in plan.programs.iter().zip(calls) {
            let whole = loading.whole(program, &calls, choice, &mut counters)?;
            let (pace, apart) = (Pace::new(longest), Apart::default());
            programs.push(Loaded { calls, whole, pace, apart });
        }
        // An epoch reads logs and states, while those of the one before are still to be taken; the
        // last readback brings the parameters too.
        let words_of = |wanted: &dyn Fn(&BufferSpec) -> bool| {
            plan.buffers.iter().filter(|spec| wanted(spec)).map(|spec| spec.words).sum::<u64>()
        };
        let of_epoch = words_of(&|spec| {
            spec.contents == Contents::State
                || [".log", ".collected"].iter().any(|end| spec.name.ends_with(end))
        });
        let parameters = words_of(&|spec| spec.name == "parameters");
        let bytes = |words: u64| (words * 4).min(gpu.limits.max_buffer_size);
        let readbacks = [bytes(of_epoch), bytes(of_epoch + parameters)];
        let transfer = Transfer::new(&gpu, &readbacks, &mut counters)?;
        Ok(Self {
            gpu,
            contents: plan.buffers.iter().map(|spec| spec.contents).collect(),
            firsts: plan
                .buffers
                .iter()
                .map(|spec| spec.part_of.map_or(0, |(_, at)| at * spec.contents.element_bytes()))
                .collect(),
            buffers,
            programs,
            checked,
            longest,
            transfer,
            in_flight: VecDeque::with_capacity(IN_FLIGHT + 1),
            only_measures: false,
            last_done: None,
            stopwatch: None,
            counters,
            tiles: tiles_of(plan, tiles),
            warnings: warning.into_iter().collect(),
        })
    }

    fn buffer(&self, id: BufferId, contents: Contents) -> Result<wgpu::Buffer> {
        match (self.buffers.get(id.0), self.contents.get(id.0)) {
            (Some(buffer), Some(found)) if *found == contents => Ok(buffer.clone()),
            (_, found) => {
                Err(Error::internal(format!("buffer {id:?} holds {found:?}, not {contents:?}")))
            }
        }
    }

    fn bytes_of(&self, id: BufferId, length: usize) -> u64 {
        let contents = self.contents.get(id.0).copied().unwrap_or(Contents::Words);
        copied_bytes(contents, length)
    }

    /// Whether a buffer holds halves.
    fn holds_halves(&self, id: BufferId) -> bool {
        self.contents.get(id.0) == Some(&Contents::Halves)
    }

    /// An odd number of halves is followed by a 0.
    fn upload_halves(&mut self, id: BufferId, mut halves: Vec<f16>) -> Result<()> {
        halves.resize(halves.len().next_multiple_of(2), f16::ZERO);
        let bits: &[u16] = halves.reinterpret_cast();
        self.upload(id, Contents::Halves, bits)
    }

    fn upload<T: bytemuck::NoUninit>(
        &mut self,
        id: BufferId,
        contents: Contents,
        values: &[T],
    ) -> Result<()> {
        let buffer = self.buffer(id, contents)?;
        self.transfer.upload(&self.gpu, &buffer, bytemuck::cast_slice(values))
    }

    fn count_steps(&self, steps: usize) {
        if !self.only_measures {
            self.gpu.count_steps(steps);
        }
    }

    /// Waits for the oldest submit when too many are under way, and learns from its time.
    fn make_room(&mut self) -> Result<()> {
        while self.in_flight.len() >= IN_FLIGHT {
            let Some(oldest) = self.in_flight.pop_front() else { break };
            self.gpu.wait(Some(oldest.submission))?;
            let now = Instant::now();
            if let Some(before) = self.last_done.replace(now) {
                self.programs[oldest.program].pace.submitted(oldest.steps, now - before);
            }
        }
        Ok(())
    }

    /// Runs a step whose every dispatch is a submission, or several, waits for it, and learns from its
    /// time.
    fn run_by_dispatch(&mut self, program: usize) -> Result<()> {
        self.gpu.wait(None)?;
        self.in_flight.clear();
        let begun = Instant::now();
        let loaded = &mut self.programs[program];
        if let Some(whole) = &loaded.whole {
            whole.dispatches(1).for_each(|call| submit(&self.gpu, |pass| record(call, pass)));
        } else {
            loaded.apart.run(&self.gpu, &loaded.calls, self.checked, self.longest)?;
        }
        self.counters.calls += loaded.form().dispatches(1) as u64;
        self.count_steps(1);
        self.gpu.wait(None)?;
        self.programs[program].pace.stepped(begun.elapsed());
        self.last_done = None;
        Ok(())
    }
}

impl Executor for GpuExecutor {
    fn write_reals(&mut self, buffer: BufferId, values: &[f64]) -> Result<()> {
        if self.holds_halves(buffer) {
            let narrow = values.iter().map(|value| f16::from_f64(*value)).collect();
            return self.upload_halves(buffer, narrow);
        }
        let narrow: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        self.upload(buffer, Contents::Reals, &narrow)
    }

    fn share_reals(&mut self, buffer: BufferId, values: &Arc<[f32]>) -> Result<()> {
        if self.holds_halves(buffer) {
            return self.upload_halves(buffer, Vec::from_f32_slice(values));
        }
        self.upload(buffer, Contents::Reals, values)
    }

    fn write_words(&mut self, buffer: BufferId, values: &[u32]) -> Result<()> {
        self.upload(buffer, Contents::Words, values)
    }

    fn write_steps(&mut self, buffer: BufferId, values: &[StepSettings<f64>]) -> Result<()> {
        let narrow: Vec<StepSettings<f32>> = values.iter().map(StepSettings::to).collect();
        self.upload(buffer, Contents::Steps, &narrow)
    }

    fn write_layers(&mut self, buffer: BufferId, values: &[LayerSettings]) -> Result<()> {
        self.upload(buffer, Contents::Layers, values)
    }

    fn write_state(&mut self, buffer: BufferId, values: &[MemberState]) -> Result<()> {
        self.upload(buffer, Contents::State, values)
    }

    fn write_scales(&mut self, buffer: BufferId, values: &[LossScale]) -> Result<()> {
        self.upload(buffer, Contents::Scales, values)
    }

    fn copy(&mut self, from: BufferId, to: BufferId, start: usize, len: usize) -> Result<()> {
        let source = self.buffer(from, Contents::Reals)?;
        let target = self.buffer(to, Contents::Reals)?;
        let (start, len) = (start as u64 * 4, len as u64 * 4);
        if start + len > source.size().min(target.size()) {
            return Err(Error::internal(format!("a copy from {from:?} to {to:?} past the end")));
        }
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&source, start, &target, start, len);
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.check()
    }

    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        let most = self.programs.get(program.0).map(|loaded| loaded.form().most_steps());
        let most = most.ok_or_else(|| Error::internal(format!("there is no {program:?}")))?;
        let mut left = steps;
        while left > 0 {
            let Some(fitting) = self.programs[program.0].pace.steps(most) else {
                self.run_by_dispatch(program.0)?;
                left -= 1;
                continue;
            };
            self.make_room()?;
            let now = left.min(fitting);
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            let form = self.programs[program.0].form();
            form.record(now, &mut encoder.begin_compute_pass(&Default::default()));
            self.counters.calls += form.dispatches(now) as u64;
            let submission = self.gpu.queue.submit([encoder.finish()]);
            self.in_flight.push_back(InFlight { submission, program: program.0, steps: now });
            self.count_steps(now);
            left -= now;
        }
        self.gpu.check()
    }

    fn read(&mut self, wanted: &[(BufferId, usize)]) -> Result<Vec<Contained>> {
        // One readback, unless together they are more than one buffer holds.
        let mut read = Vec::with_capacity(wanted.len());
        let mut rest = wanted;
        while !rest.is_empty() {
            let mut total = 0_u64;
            let fitting = rest.iter().take_while(|(id, length)| {
                total += self.bytes_of(*id, *length);
                total <= self.gpu.limits.max_buffer_size
            });
            let (now, later) = rest.split_at(fitting.count().max(1));
            let readback = self.begin_read(now)?;
            read.extend(self.take(readback)?);
            rest = later;
        }
        Ok(read)
    }

    fn begin_read(&mut self, wanted: &[(BufferId, usize)]) -> Result<Readback> {
        let mut sources = Vec::with_capacity(wanted.len());
        let mut parts = Vec::with_capacity(wanted.len());
        for (id, length) in wanted {
            let contents = self.contents.get(id.0).copied().unwrap_or(Contents::Words);
            let first = self.firsts.get(id.0).copied().unwrap_or(0);
            let bytes = self.bytes_of(*id, *length);
            sources.push((self.buffer(*id, contents)?, first, bytes));
            parts.push((contents, *length));
        }
        let total: u64 = sources.iter().map(|(_, _, bytes)| bytes).sum();
        if wanted.len() > 1 && total > self.gpu.limits.max_buffer_size {
            return self.read(wanted).map(Readback::Done);
        }
        let ranges: Vec<_> =
            sources.iter().map(|(buffer, first, bytes)| (buffer, *first, *bytes)).collect();
        let staging = self.transfer.begin_read(&self.gpu, &ranges, &mut self.counters)?;
        // Whoever takes it waits for all that was queued before it.
        self.in_flight.clear();
        self.last_done = None;
        Ok(Readback::Queued { staging, parts })
    }

    fn take(&mut self, readback: Readback) -> Result<Vec<Contained>> {
        let (staging, parts) = match readback {
            Readback::Done(contents) => return Ok(contents),
            Readback::Queued { staging, parts } => (staging, parts),
        };
        let bytes = parts.iter().map(|(contents, length)| copied_bytes(*contents, *length));
        let read = self.transfer.take(&self.gpu, staging, bytes, &mut self.counters)?;
        read.into_iter()
            .zip(&parts)
            .map(|(bytes, (contents, length))| contained(*contents, *length, &bytes))
            .collect()
    }

    fn counters(&self) -> Counters {
        let cut_up = self.programs.iter().map(|program| program.apart.in_pieces() as u64).sum();
        Counters { cut_up, ..self.counters }
    }

    fn form(&self, program: ProgramId, call: usize) -> CallForm {
        let dispatch = self.programs.get(program.0).and_then(|loaded| loaded.calls.get(call));
        CallForm {
            tile: dispatch.and_then(|d| d.tile).map(|tile| tile.to_string()),
            workgroups: dispatch.map(|dispatch| dispatch.workgroups),
        }
    }

    fn runs_whole_steps(&self, program: ProgramId) -> bool {
        self.programs.get(program.0).is_some_and(|loaded| loaded.whole.is_some())
    }

    fn only_measures(&mut self) {
        self.only_measures = true;
    }

    fn clock(&self) -> Clock {
        if self.gpu.has_timestamps() { Clock::Timestamps } else { Clock::Host }
    }

    fn run_timed(&mut self, program: ProgramId, steps: usize) -> Result<f64> {
        let loaded = self.programs.get(program.0);
        let loaded = loaded.ok_or_else(|| Error::internal(format!("there is no {program:?}")))?;
        // What is still under way is not to be counted.
        self.gpu.wait(None)?;
        self.in_flight.clear();
        if self.gpu.has_timestamps() && self.stopwatch.is_none() {
            self.stopwatch = Some(Stopwatch::new(&self.gpu, &mut self.counters)?);
        }
        let form = loaded.form();
        self.counters.calls += form.dispatches(steps) as u64;
        time(&self.gpu, self.stopwatch.as_ref(), form, steps)
    }

    fn tiles(&self) -> &[ChosenTile] {
        &self.tiles
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
