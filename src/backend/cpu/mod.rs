//! The CPU backend: the same programs as on a GPU, with a matrix product of the `gemm` crate and
//! passes over slices that vectorise.
//!
//! A plain training step runs as two phases of a team of threads (`plain`). Of anything else, members
//! are independent, so each runs all its steps on one thread, or, where they share weights, as far as
//! the next call of several at once (`joint`); threads share a member's work only where there are fewer
//! members than threads and a call is large. No number depends on how many
//! threads there are.

mod arena;
mod compile;
mod dropout;
mod joint;
mod layers;
mod matrices;
mod memory;
mod plain;
mod product;
mod team;
mod work;

use std::sync::Arc;

use rayon::prelude::*;

use super::twins::{Bound, run_twin};
use super::{Backend, Capacity, Contained, Counters, DeviceDescription, Executor};
use crate::data::memory::available as available_memory;
use crate::error::{Error, Result};
use crate::kernels::Step;
use crate::kernels::finish_step::FinishStep;
use crate::program::{
    BufferId, Contents, LayerSettings, MemberState, NONE, Plan, ProgramId, StepSettings,
};
use compile::compile;
use memory::{Member, Memory, Tables};
use plain::Plain;
use team::Team;
use work::{FinishWork, Operation, TwinWork, Work};

/// The backend of this machine's processor.
#[derive(Debug)]
pub struct CpuBackend {
    device: DeviceDescription,
    pool: Arc<rayon::ThreadPool>,
    team: Arc<Team>,
}

impl CpuBackend {
    /// A backend with a thread for each processor that this process may use (affinity and cgroup
    /// limits count), or as many as `RAYON_NUM_THREADS` says.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new() -> Result<Self> {
        Self::with_threads(0)
    }

    /// A backend with so many threads; 0 stands for those of [`CpuBackend::new`].
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn with_threads(threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("wgfit-{i}"))
            .build()
            .map_err(|error| Error::device(format!("the CPU's threads do not start: {error}")))?;
        Ok(Self {
            device: Self::description(),
            team: Arc::new(Team::new(pool.current_num_threads())?),
            pool: Arc::new(pool),
        })
    }

    /// What it runs on.
    pub fn description() -> DeviceDescription {
        DeviceDescription {
            name: processor(),
            backend: "cpu".to_owned(),
            driver: String::new(),
            kind: "cpu".to_owned(),
        }
    }

    /// Its number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

/// The processor's name as the system gives it, else its architecture.
fn processor() -> String {
    let named = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

impl CpuBackend {
    /// Refuses a plan that the memory cannot hold: the system would end the process for it later.
    fn check_memory(&self, plan: &Plan) -> Result<()> {
        // Sets are shared with the rows that were read, which are in memory already.
        let own = |name: &str| !name.ends_with(".features") && !name.ends_with(".targets");
        let words = plan.buffers.iter().filter(|buffer| own(&buffer.name)).map(|b| b.words);
        let needed = words.sum::<u64>().saturating_mul(4);
        match available_memory() {
            Some(allowed) if needed > allowed => Err(Error::TooLarge {
                what: "the training".to_owned(),
                needed,
                allowed,
                device: self.device.name.clone(),
                help: "use fewer units, a smaller training.batch_size or fewer members".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

impl Backend for CpuBackend {
    fn device(&self) -> &DeviceDescription {
        &self.device
    }

    fn capacity(&self) -> Capacity {
        Capacity {
            buffer_bytes: u64::MAX,
            fuses: false,
            splits: false,
            queues: false,
            halves: false,
        }
    }

    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        self.check_memory(plan)?;
        let compiled = compile(plan, self.threads())?;
        Ok(Box::new(CpuExecutor {
            plain: Plain::find(&compiled.programs, plan.members),
            team: Arc::clone(&self.team),
            memory: Memory::new(plan, compiled.places, compiled.batch),
            // Waking the pool is worth it only where there is something to share.
            shares: self.threads() > 1
                && (plan.members > 1
                    || compiled.programs.iter().flatten().any(Operation::is_parallel)),
            programs: compiled.programs,
            pool: Arc::clone(&self.pool),
            counters: Counters { buffers: plan.buffers.len() as u64, ..Counters::default() },
        }))
    }
}

impl Operation {
    fn is_parallel(&self) -> bool {
        match &self.work {
            Work::Forward(work) => work.parallel,
            Work::WeightGradient(work) => work.parallel,
            Work::InputGradient(work) => work.parallel,
            Work::Loss(work) => work.parallel,
            Work::Statistics(work) => work.parallel,
            Work::Optimizer(work) => work.parallel,
            Work::Product(work) => work.parallel,
            Work::Finish(_) | Work::Joint(_) | Work::Twin(_) => false,
        }
    }

    fn only_reads_weights(&self) -> bool {
        matches!(self.work, Work::Forward(_) | Work::Loss(_) | Work::Finish(_))
    }

    fn run(&self, tables: &Tables, member: &mut Member) -> Result<()> {
        if member.has_stopped(self.state) && !matches!(self.work, Work::Finish(_)) {
            return Ok(());
        }
        let row = member.states[self.state].cursor as usize * tables.members + member.index;
        let settings = tables.steps[self.steps].get(row).ok_or_else(|| {
            Error::internal(format!("member {} ran past its table of steps", member.index))
        })?;
        match &self.work {
            Work::Forward(work) => layers::dense_forward(work, tables, settings, member),
            Work::WeightGradient(work) => layers::weight_gradient(work, tables, settings, member),
            Work::InputGradient(work) => layers::input_gradient(work, tables, settings, member),
            Work::Loss(work) => layers::loss(work, self.state, tables, settings, member),
            Work::Statistics(work) => arena::gradient_statistics(work, member),
            Work::Optimizer(work) => arena::optimizer_step(work, self.state, settings, member),
            Work::Finish(work) => finish_step(work, self.state, settings, member),
            Work::Product(work) => matrices::matrix_product(work, settings, member),
            Work::Joint(_) => {
                return Err(Error::internal("a call of several members was run as one member's"));
            }
            Work::Twin(work) => return twin(work, self.state, tables, settings, member),
        }
        Ok(())
    }
}

/// The sum of every `stride`-th value in f64, in their order.
fn sum(values: &[f32], first: usize, stride: usize) -> f32 {
    values.iter().skip(first).step_by(stride).map(|value| f64::from(*value)).sum::<f64>() as f32
}

/// Twin of `kernels::finish_step`.
fn finish_step(work: &FinishWork, state: usize, settings: &StepSettings<f32>, member: &mut Member) {
    let FinishStep { statistics, partials, log_width, .. } = work.call;
    let statistics = statistics as usize;
    let at = member.states[state].cursor as usize * log_width as usize;
    let mut step_log = std::mem::take(&mut member.reals[work.step_log]);
    let log = &mut step_log[at..at + log_width as usize];
    let rows = &member.reals[work.row_statistics][..settings.rows as usize * statistics];
    for (statistic, total) in log[..statistics].iter_mut().enumerate() {
        *total = sum(rows, statistic, statistics);
    }
    if partials > 0 {
        let pairs = &member.reals[work.partials][..partials as usize * 2];
        log[statistics] = sum(pairs, 0, 2);
        log[statistics + 1] = sum(pairs, 1, 2);
    }
    member.reals[work.step_log] = step_log;
    let state = &mut member.states[state];
    if state.bad_step == NONE {
        if state.bad_element == NONE {
            state.cursor += 1;
        } else {
            state.bad_step = settings.step;
        }
    }
}

/// Runs a call as its kernel's twin. Each member has a part of its own of every buffer, so to the
/// twin it is member 0.
fn twin(
    work: &TwinWork,
    state: usize,
    tables: &Tables,
    settings: &StepSettings<f32>,
    member: &mut Member,
) -> Result<()> {
    let mut taken: Vec<(&'static str, usize, Vec<f32>)> = work
        .written
        .iter()
        .map(|(name, id)| (*name, *id, std::mem::take(&mut member.reals[*id])))
        .collect();
    let mut own_state = member.states[state];
    let layers = match work.layers {
        Some((table, count)) => &tables.layers[table][member.index * count..][..count],
        None => &[],
    };
    let mut written: Vec<(&'static str, &mut [f32])> =
        taken.iter_mut().map(|(name, _, values)| (*name, values.as_mut_slice())).collect();
    let order = work.order.map(|(order, stride)| &tables.words[order][member.index * stride..]);
    let reals = |id: BufferId| match work.shared {
        Some(shared) if shared == id.0 => tables.reals[shared].values(),
        _ => member.reals[id.0].as_slice(),
    };
    let done = run_twin(&mut Bound {
        call: &work.call,
        step: Step { member: 0, settings: *settings, order, unscale: 1.0 },
        layers,
        reals: &|id| Ok(reals(id)),
        words: &|id| Ok(tables.words[id.0].as_slice()),
        written: &mut written,
        state: &mut own_state,
        stopped: &[],
    });
    for (_, id, values) in taken {
        member.reals[id] = values;
    }
    member.states[state] = own_state;
    done
}

#[derive(Debug)]
struct CpuExecutor {
    memory: Memory,
    programs: Vec<Vec<Operation>>,
    plain: Option<Plain>,
    team: Arc<Team>,
    pool: Arc<rayon::ThreadPool>,
    shares: bool,
    counters: Counters,
}

impl CpuExecutor {
    /// Before a buffer is read.
    fn settle(&mut self, buffer: BufferId) {
        if let Some(plain) = self.plain.as_mut().filter(|plain| plain.holds(buffer)) {
            plain.store(&mut self.memory.members);
        }
    }

    /// Before a buffer is written.
    fn release(&mut self, buffer: BufferId) {
        if let Some(plain) = self.plain.as_mut().filter(|plain| plain.holds(buffer)) {
            plain.forget(&mut self.memory.members);
        }
    }

    /// Runs a program call by call.
    fn run_calls(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        let operations = self.programs.get(program.0).ok_or_else(|| {
            Error::internal(format!("the plan has no program number {}", program.0))
        })?;
        let Memory { tables, members, .. } = &mut self.memory;
        let tables = &*tables;
        if let Some(plain) = &mut self.plain {
            if operations.iter().all(Operation::only_reads_weights) {
                plain.store(members);
            } else {
                plain.forget(members);
            }
        }
        // What members do by themselves up to a call of several at once, with which a part ends.
        let is_joint = |operation: &Operation| matches!(operation.work, Work::Joint(_));
        let parts: Vec<&[Operation]> = operations.split_inclusive(is_joint).collect();
        let together = if parts.len() > 1 { 1 } else { steps };
        for _ in 0..steps / together.max(1) {
            for (index, part) in parts.iter().enumerate() {
                let (joint, own) = match part.split_last() {
                    Some((last, own)) if is_joint(last) => (Some(last), own),
                    _ => (None, *part),
                };
                let run = |member: &mut Member| {
                    for _ in 0..together {
                        if index == 0 {
                            member.gathered = None;
                        }
                        for operation in own {
                            operation.run(tables, member)?;
                        }
                    }
                    Ok(())
                };
                if self.shares {
                    self.pool.install(|| members.par_iter_mut().try_for_each(run))?;
                } else {
                    members.iter_mut().try_for_each(run)?;
                }
                if let Some(joint) = joint {
                    self.pool.install(|| joint.run_joint(tables, members))?;
                }
            }
        }
        Ok(())
    }
}

impl Executor for CpuExecutor {
    fn write_reals(&mut self, buffer: BufferId, values: &[f64]) -> Result<()> {
        self.release(buffer);
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        self.memory.write_reals(buffer, &values)
    }

    fn share_reals(&mut self, buffer: BufferId, values: &Arc<[f32]>) -> Result<()> {
        self.release(buffer);
        self.memory.share_reals(buffer, values)
    }

    fn write_words(&mut self, buffer: BufferId, values: &[u32]) -> Result<()> {
        self.memory.write_words(buffer, values)
    }

    fn write_steps(&mut self, buffer: BufferId, values: &[StepSettings<f64>]) -> Result<()> {
        self.memory.write_steps(buffer, values)
    }

    fn write_layers(&mut self, buffer: BufferId, values: &[LayerSettings]) -> Result<()> {
        self.memory.write_layers(buffer, values)
    }

    fn write_state(&mut self, buffer: BufferId, values: &[MemberState]) -> Result<()> {
        self.memory.write_state(buffer, values)
    }

    fn copy(&mut self, from: BufferId, to: BufferId, start: usize, len: usize) -> Result<()> {
        self.settle(from);
        self.release(to);
        self.memory.copy(from, to, start, len)
    }

    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        let operations = self.programs.get(program.0).ok_or_else(|| {
            Error::internal(format!("the plan has no program number {}", program.0))
        })?;
        self.counters.calls += (steps * operations.len()) as u64;
        let Memory { tables, members, .. } = &mut self.memory;
        if let Some(plain) = &mut self.plain
            && plain.program == program.0
            && plain.run(tables, members, &self.team, steps)?
        {
            return Ok(());
        }
        self.run_calls(program, steps)
    }

    fn run_each_call(&mut self, program: ProgramId) -> Result<()> {
        self.run_calls(program, 1)
    }

    fn read(&mut self, wanted: &[(BufferId, usize)]) -> Result<Vec<Contained>> {
        wanted.iter().for_each(|(id, _)| self.settle(*id));
        self.counters.readbacks += 1;
        wanted
            .iter()
            .map(|(id, length)| match self.memory.contents(*id) {
                Contents::State => self.memory.read_state(*id, *length).map(Contained::State),
                _ => self.memory.read_reals(*id, *length).map(Contained::Reals),
            })
            .collect()
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}
