//! The plain training step, and how threads share one.
//!
//! A step of nothing but layers whose activation is part of the matrix product, the loss, the
//! gradients and the optimizer has two phases, and threads wait for each other only between them. In
//! the first each takes blocks of the batch's rows through all layers and back: all of it is row by
//! row. In the second each takes pieces of the weights: their gradient over the whole batch, and at
//! once the optimizer's step on them, so that no gradient is ever written to memory. Room for a batch is
//! made when the first one of its size is trained; from then on nothing is allocated.
//!
//! Such a step leaves the activations, deltas and gradients of the plan alone, and keeps the weights
//! and moments in its own arrangement until somebody asks for them.

mod ahead;
mod recognise;
mod rows;
mod tile;
mod weights;

use std::sync::{Mutex, PoisonError};

use pulp::Arch;

use super::memory::{Member, Tables};
use super::team::Team;
use super::work::{FinishWork, Input, LossWork, Operation, OptimizerWork};
use crate::catalog::activation::Functions;
use crate::error::{Error, Result};
use crate::program::{BufferId, NONE};
use rows::{Propagate, Rows};
use weights::{Update, Weights};

/// Multiplications of a step from which a team is worth its waits.
const SHARED_STEP: usize = 1 << 18;

/// One layer of a plain step.
#[derive(Debug)]
struct Layer {
    inputs: usize,
    units: usize,
    weight_offset: usize,
    bias_offset: usize,
    activation: Functions<f32>,
    /// The activation's.
    parameters: [f32; 2],
    /// Whether its activation's derivative is a function of the input.
    keeps_input: bool,
    drops: bool,
    /// Its row of the layer table.
    row: usize,
    /// Its first piece of the weights, the pieces that its inputs are cut into, and their panels.
    first_piece: usize,
    chunks: usize,
    chunk_panels: usize,
}

/// What a plain step does: indices are those of buffers.
#[derive(Debug)]
struct PlainStep {
    layers: Vec<Layer>,
    steps: usize,
    state: usize,
    layer_table: usize,
    layer_stride: usize,
    /// Rows that a batch has at most, of whatever program.
    rows: usize,
    input: Input,
    loss: LossWork,
    optimizer: OptimizerWork,
    finish: FinishWork,
}

/// How batches are cut up.
#[derive(Debug)]
struct Cut {
    /// Rows of the largest batch that there is room for.
    batch: usize,
    /// Whether threads share each member's step, rather than take members whole.
    shares: bool,
    /// One for each thread that runs members of its own, or one for all.
    rows: Vec<Mutex<Rows>>,
}

impl Cut {
    /// Room for batches of so many rows.
    fn new(step: &PlainStep, batch: usize, members: usize, team: &Team) -> Self {
        let threads = team.threads();
        let shares = members < threads && step.multiplications(batch) >= SHARED_STEP;
        let workers = if shares || members == 1 { 1 } else { threads };
        let sharing = if shares { threads } else { 1 };
        let rows = (0..workers).map(|_| Mutex::new(Rows::new(step, batch, sharing)));
        Self { batch, shares, rows: rows.collect() }
    }
}

/// Weights of a layer from which on those of its next product are fetched ahead: with fewer they are in a
/// core's own cache anyway.
const FETCHED_WEIGHTS: usize = 1 << 16;

impl Layer {
    fn is_fetched(&self) -> bool {
        self.inputs * self.units >= FETCHED_WEIGHTS
    }
}

impl PlainStep {
    fn statistics(&self) -> usize {
        self.loss.call.statistics as usize
    }

    /// Multiplications of a step, about.
    fn multiplications(&self, batch: usize) -> usize {
        let weights = self.layers.iter().map(|layer| layer.inputs * layer.units).sum::<usize>();
        weights.saturating_mul(3 * batch)
    }
}

/// The plain step of a plan, ready to run.
#[derive(Debug)]
pub(super) struct Plain {
    /// The program that it is.
    pub program: usize,
    step: PlainStep,
    /// Each member's.
    weights: Vec<Mutex<Weights>>,
    /// Made when a batch is first known.
    cut: Option<Cut>,
    /// Whether `weights` hold what the members' arenas do, or what should be there.
    loaded: bool,
    /// Whether the members' arenas are older than `weights`.
    ahead: bool,
}

impl Plain {
    /// The plain step among a plan's programs, if there is one.
    pub fn find(programs: &[Vec<Operation>], members: usize) -> Option<Self> {
        let (program, step) = programs.iter().enumerate().find_map(|(index, operations)| {
            recognise::recognise(operations).map(|step| (index, step))
        })?;
        Some(Self {
            program,
            weights: (0..members).map(|_| Mutex::new(Weights::new(&step))).collect(),
            step,
            cut: None,
            loaded: false,
            ahead: false,
        })
    }

    /// Whether a buffer's contents are held here too.
    pub fn holds(&self, buffer: BufferId) -> bool {
        let optimizer = &self.step.optimizer;
        buffer.0 == optimizer.parameters
            || buffer.0 == optimizer.block_settings
            || optimizer.moments.contains(&Some(buffer.0))
    }

    /// Puts weights and moments where everybody else looks for them.
    pub fn store(&mut self, members: &mut [Member]) {
        if self.ahead {
            for (weights, member) in self.weights.iter_mut().zip(members) {
                exclusive(weights).store(&self.step, member);
            }
            self.ahead = false;
        }
    }

    /// Someone else is about to write weights, moments or their settings.
    pub fn forget(&mut self, members: &mut [Member]) {
        self.store(members);
        self.loaded = false;
    }

    /// Rows of the largest batch of the next steps, if every one of these takes an optimizer's step of its
    /// own gradient alone.
    fn batch(&self, tables: &Tables, members: &[Member], steps: usize) -> Option<usize> {
        let table = &tables.steps[self.step.steps];
        let mut batch = 0;
        for member in members {
            let first = member.states[self.step.state].cursor as usize;
            let rows = table.iter().skip(first * tables.members + member.index);
            for row in rows.step_by(tables.members).take(steps) {
                let rows = row.rows as usize;
                if row.accumulates != 0 || row.updates != 1 || rows > self.step.rows {
                    return None;
                }
                batch = batch.max(rows);
            }
        }
        Some(batch)
    }

    /// Runs the step so many times, unless these steps are not plain ones: then it returns false.
    ///
    /// # Errors
    /// When a member runs past its table.
    pub fn run(
        &mut self,
        tables: &Tables,
        members: &mut [Member],
        team: &Team,
        steps: usize,
    ) -> Result<bool> {
        let Some(batch) = self.batch(tables, members, steps) else { return Ok(false) };
        if !self.loaded {
            for (weights, member) in self.weights.iter_mut().zip(&*members) {
                if !exclusive(weights).load(&self.step, member) {
                    return Ok(false);
                }
            }
            self.loaded = true;
        }
        self.ahead = true;
        let Self { step, weights, cut, .. } = self;
        let step = &*step;
        let cut = match cut {
            Some(cut) if cut.batch >= batch => cut,
            cut => cut.insert(Cut::new(step, batch, members.len(), team)),
        };
        let Cut { rows, shares, .. } = cut;
        if *shares || members.len() == 1 {
            let team = if *shares { Some(team) } else { None };
            let rows = exclusive(&mut rows[0]);
            for (member, weights) in members.iter_mut().zip(weights) {
                run_member(step, tables, member, exclusive(weights), rows, team, steps)?;
            }
            return Ok(true);
        }
        let failed = Mutex::new(None);
        team.each_mut(members, &|thread, index, member| {
            // Nobody else has this thread's rows or this member's weights.
            let (mut rows, mut weights) = (lock(&rows[thread]), lock(&weights[index]));
            let done = run_member(step, tables, member, &mut weights, &mut rows, None, steps);
            if let Err(error) = done {
                *lock(&failed) = Some(error);
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(true),
        }
    }
}

fn exclusive<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many steps of one member.
fn run_member(
    step: &PlainStep,
    tables: &Tables,
    member: &mut Member,
    weights: &mut Weights,
    rows: &mut Rows,
    team: Option<&Team>,
    steps: usize,
) -> Result<()> {
    let arch = Arch::new();
    let layers = &tables.layers[step.layer_table][member.index * step.layer_stride..];
    let layers = &layers[..step.layer_stride];
    let (features, targets) =
        (tables.reals[step.input.buffer].values(), tables.reals[step.loss.targets].values());
    for _ in 0..steps {
        if member.has_stopped(step.state) {
            return Ok(());
        }
        let cursor = member.states[step.state].cursor as usize;
        let settings =
            tables.steps[step.steps].get(cursor * tables.members + member.index).ok_or_else(
                || Error::internal(format!("member {} ran past its table of steps", member.index)),
            )?;
        let Some((order, order_stride)) = step.input.order else { return Ok(()) };
        let first = member.index * order_stride + settings.first_row as usize;
        let order = &tables.words[order][first..first + settings.rows as usize];
        rows.begin(order.len());
        let stride = rows.stride;
        let pieces = &weights.pieces;
        each_mut(team, rows.in_use_mut(), &|_, _, block| {
            arch.dispatch(Propagate {
                block,
                stride,
                step,
                pieces,
                layers,
                settings,
                features,
                targets,
                order,
            });
        });
        let state = &mut member.states[step.state];
        state.backward = state.cursor;
        if rows.is_bad() {
            state.bad_step = state.bad_step.min(settings.step);
        } else {
            let rows = &*rows;
            let settings_of = &weights.settings;
            each_mut(team, &mut weights.pieces, &|_, _, piece| {
                let own = &settings_of[piece.layer];
                arch.dispatch(Update { piece, step, rows, settings, own });
            });
            if let Some(bad) = weights.pieces.iter().filter_map(|piece| piece.bad).min() {
                state.bad_element = state.bad_element.min(bad as u32);
            }
        }
        finish(step, rows, member, settings);
    }
    Ok(())
}

/// The end of the step: its row of the log, its collected outputs, and the member's state.
fn finish(
    step: &PlainStep,
    rows: &Rows,
    member: &mut Member,
    settings: &crate::program::StepSettings<f32>,
) {
    if let Some(id) = step.loss.collected {
        let outputs = step.loss.call.outputs as usize;
        let to = &mut member.reals[id][settings.position as usize * outputs..];
        rows.collect(outputs, to);
    }
    let width = step.finish.call.log_width as usize;
    let at = member.states[step.state].cursor as usize * width;
    let log = &mut member.reals[step.finish.step_log][at..at + width];
    for (statistic, total) in log.iter_mut().take(step.statistics()).enumerate() {
        *total = rows.sum(statistic, step.statistics());
    }
    let state = &mut member.states[step.state];
    if state.bad_step == NONE {
        if state.bad_element == NONE {
            state.cursor += 1;
        } else {
            state.bad_step = settings.step;
        }
    }
}

/// [`Team::each_mut`], or on this thread alone.
fn each_mut<T: Send>(
    team: Option<&Team>,
    items: &mut [T],
    work: &(dyn Fn(usize, usize, &mut T) + Sync),
) {
    match team {
        Some(team) => team.each_mut(items, work),
        None => items.iter_mut().enumerate().for_each(|(index, item)| work(0, index, item)),
    }
}
