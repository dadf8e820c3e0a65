//! A training taken one batch at a time, in the very form that [`super::fit`] runs, with all that
//! another executor needs to take the same steps: the batches, the tables, what the steps leave
//! behind.

use std::time::Instant;

use super::RunAhead;
use super::batch::{Batch, Carried, SET, Tables, as_read, carried_buffers, rounded, scales_buffer};
use super::epoch::Epoch;
use super::run::Run;
use crate::backend::{Backend, Contained, Executor};
use crate::config::{Settings, TaskSettings};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::program::{
    BufferId, MemberState, Pass, PassKind, Plan, PlanRequest, Precision, Program, ProgramId,
    rounded_to_f16,
};

/// A training on its way, batch by batch.
pub struct Stepper<'a> {
    run: Run<'a>,
    carried: Vec<BufferId>,
    scales: Option<BufferId>,
    epoch: Option<Epoch>,
    /// The batch of the epoch that comes next.
    within: usize,
    /// Batches taken.
    taken: u64,
}

/// Some steps in one go.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    /// Seconds from the first word to the last answer.
    pub seconds: f64,
    /// Rows trained on, all members counted.
    pub rows: u64,
}

impl<'a> Stepper<'a> {
    /// Loads the training of the settings on a backend. Only the rows to train on are taken.
    ///
    /// # Errors
    /// Those of [`super::fit`].
    pub fn new(
        settings: &'a Settings,
        task: &'a TaskSettings,
        dataset: Dataset,
        backend: &dyn Backend,
    ) -> Result<Self> {
        let dataset = Dataset { validation: None, test: None, ..dataset };
        let run = Run::new(settings, task, dataset, backend, RunAhead::Never, false)?;
        let accumulates = settings.training.accumulate > 1;
        let carried =
            carried_buffers(&run.plan, accumulates).into_iter().map(|(_, id)| id).collect();
        let scales = scales_buffer(&run.plan);
        Ok(Self { run, carried, scales, epoch: None, within: 0, taken: 0 })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.run.network
    }

    /// The plan that training runs.
    pub fn plan(&self) -> &Plan {
        &self.run.plan
    }

    /// The program of a training step.
    pub fn program(&self) -> Result<ProgramId> {
        self.run.train.program()
    }

    /// What runs it.
    pub fn executor(&self) -> &dyn Executor {
        self.run.executor.as_ref()
    }

    /// Rows of a full batch of one member.
    pub fn batch_rows(&self) -> usize {
        self.run.train.batches.batch
    }

    /// Batches of an epoch.
    pub fn epoch_batches(&self) -> usize {
        self.run.train.batches.steps()
    }

    /// Makes the batch that comes next, and readies the device for it.
    ///
    /// # Errors
    /// Those of the device.
    pub fn next_batch(&mut self) -> Result<Batch> {
        let members = self.run.network.members;
        if self.epoch.is_none() || self.within == self.epoch_batches() {
            let number = self.epoch.as_ref().map_or(0, |epoch| epoch.number) + 1;
            let epoch = self.run.prepare_epoch(number);
            let executor = self.run.executor.as_mut();
            self.run.train.write_steps(executor, &epoch.table.steps)?;
            self.run.train.write_orders(executor, epoch.order.held())?;
            let start: Vec<MemberState> =
                self.run.states.iter().map(|state| MemberState { cursor: 0, ..*state }).collect();
            executor.write_state(self.run.train.state()?, &start)?;
            self.epoch = Some(epoch);
            self.within = 0;
        }
        let Some(epoch) = &self.epoch else { return Err(Error::internal("there is no epoch")) };
        let train = &self.run.train;
        train.enter_window(self.run.executor.as_mut(), Some(&epoch.order), self.within)?;
        let set = &train.set;
        let first = self.within * train.batches.batch;
        let of_members = self.within * members..(self.within + 1) * members;
        let rows = epoch.table.steps[of_members.start].rows as usize;
        let (inputs, width) = (set.inputs, set.target_stride);
        let mut features = vec![0.0; members * rows * inputs];
        let mut targets = Vec::with_capacity(members * rows * width);
        let lookup = epoch.order.lookup();
        for (at, into) in features.chunks_exact_mut(inputs).enumerate() {
            let row = lookup.row(at / rows, first + at % rows);
            set.features.copy(row, inputs, into)?;
            targets.extend_from_slice(&set.targets[row * width..][..width]);
        }
        if self.run.settings.training.precision == Precision::F16 {
            // As a device stores them.
            features.iter_mut().for_each(|x| *x = rounded_to_f16(f64::from(*x)) as f32);
        }
        self.taken += 1;
        self.within += 1;
        Ok(Batch {
            number: self.taken,
            rows,
            features: features.into(),
            targets: targets.into(),
            settings: epoch.table.steps[of_members.clone()].iter().map(as_read).collect(),
            divisors: epoch.table.divisors[of_members].to_vec(),
            ends_epoch: self.within == train.batches.steps(),
        })
    }

    /// Trains on the batch that was made last; returns each member's mean loss before the step.
    /// A member that has stopped has none.
    ///
    /// # Errors
    /// Those of the device.
    pub fn take_step(&mut self) -> Result<Vec<f64>> {
        let (program, state, log) =
            (self.program()?, self.run.train.state()?, self.run.train.log()?);
        let (members, width) = (self.run.network.members, self.run.plan.log_width);
        let executor = self.run.executor.as_mut();
        executor.run(program, 1)?;
        let row = self.within - 1;
        let words = self.within * members * width;
        let mut read = executor.read(&[(state, members), (log, words)])?.into_iter();
        let states = read.next().map(Contained::into_state).unwrap_or_default();
        let log = read.next().map(Contained::into_reals).unwrap_or_default();
        let divisors = self.epoch.as_ref().map(|epoch| &epoch.table.divisors);
        let losses = states.iter().enumerate().map(|(member, state)| {
            let at = row * members + member;
            if (state.cursor as usize) <= row {
                return f64::NAN;
            }
            log[at * width] / divisors.map_or(1.0, |divisors| divisors[at])
        });
        let losses = losses.collect();
        self.run.states = states;
        Ok(losses)
    }

    /// What stands on the device between two batches.
    ///
    /// # Errors
    /// Those of the device.
    pub fn carried(&mut self) -> Result<Carried> {
        let (members, arena) = (self.run.network.members, self.arena());
        let mut wanted: Vec<_> = self.carried.iter().map(|id| (*id, arena)).collect();
        wanted.extend(self.scales.map(|id| (id, members)));
        let mut read = self.run.executor.read(&wanted)?;
        let scales = match self.scales.and_then(|_| read.pop()) {
            Some(scales) => scales.into_scales(),
            None => Vec::new(),
        };
        Ok(Carried { reals: read.into_iter().map(Contained::into_reals).collect(), scales })
    }

    fn arena(&self) -> usize {
        self.run.network.members * self.run.network.stride
    }

    /// Takes the first so many batches again, from where [`Stepper::carried`] stood before the
    /// first of them, as [`super::fit`] does: queued an epoch at a time, and read when all is
    /// done.
    ///
    /// # Errors
    /// Those of the device.
    pub fn take_in_one_go(&mut self, batches: u64, start: &Carried) -> Result<Timed> {
        for (id, values) in self.carried.iter().zip(&start.reals) {
            self.run.executor.write_reals(*id, values)?;
        }
        if let Some(id) = self.scales {
            self.run.executor.write_scales(id, &start.scales)?;
        }
        let members = self.run.network.members;
        self.run.states = vec![MemberState::START; members];
        self.run.coefficients.fill([1.0; 4]);
        let mut left = batches as usize;
        let mut rows = 0;
        let mut number = 0;
        let begun = Instant::now();
        while left > 0 {
            number += 1;
            let epoch = self.run.prepare_epoch(number);
            let now = self.epoch_batches().min(left);
            self.run.queue_batches(&epoch, now, false, &|_| false)?;
            let of_epoch = epoch.table.steps.iter().step_by(members).take(now);
            rows += of_epoch.map(|step| u64::from(step.rows)).sum::<u64>() * members as u64;
            left -= now;
            let state = self.run.train.state()?;
            let read = self.run.executor.read(&[(state, members)])?;
            self.run.states =
                read.into_iter().next().map(Contained::into_state).unwrap_or_default();
        }
        let seconds = begun.elapsed().as_secs_f64();
        (self.epoch, self.within, self.taken) = (None, 0, 0);
        Ok(Timed { seconds, rows })
    }

    /// Seconds on the device's own clock, where it has one, of a step among `steps` that are run
    /// in one go; at most those of an epoch that are full, or of a window.
    ///
    /// # Errors
    /// Those of the device.
    pub fn device_seconds(&mut self, steps: usize) -> Result<f64> {
        let epoch = self.run.prepare_epoch(1);
        self.run.states = vec![MemberState::START; self.run.network.members];
        self.run.queue_batches(&epoch, 1, false, &|_| false)?;
        let batches = self.run.train.batches;
        let full = (batches.covered() / batches.batch).max(1).min(batches.window);
        let steps = steps.clamp(1, full);
        let (state, program) = (self.run.train.state()?, self.program()?);
        self.run.executor.write_state(state, &self.run.states)?;
        let seconds = self.run.executor.run_timed(program, steps)?;
        Ok(seconds / steps as f64)
    }

    /// Where every member stands.
    pub fn states(&self) -> &[MemberState] {
        &self.run.states
    }

    /// A plan of the same training step call by call, over one batch at a time: its only program,
    /// and after it each call of that as a program of its own.
    ///
    /// # Errors
    /// When it cannot be addressed.
    pub fn plan_of_a_batch(&self) -> Result<Plan> {
        let Run { network, settings, task, train, .. } = &self.run;
        let pass = train.pass();
        let mut plan = Plan::new(&PlanRequest {
            network,
            loss: task.loss,
            terms: Vec::new(),
            target_width: train.set.target_width,
            update: Some(settings.update()),
            gradient_statistics: false,
            fuses: false,
            precision: settings.training.precision,
            splits: false,
            passes: vec![Pass {
                name: SET.to_owned(),
                set: SET.to_owned(),
                kind: PassKind::Train,
                resident_rows: pass.batch_rows * network.members,
                table_steps: 1,
                collected_rows: 0,
                ..pass
            }],
        })?;
        for call in plan.programs[0].calls.clone() {
            plan.programs.push(Program { name: call.subject.clone(), calls: vec![call] });
        }
        Ok(plan)
    }

    /// The tables of that plan, as a device reads them.
    pub fn tables(&self) -> Tables {
        let blocks = self.run.block_settings();
        Tables {
            layers: self.run.layer_table(),
            blocks: blocks.into_iter().map(rounded).collect(),
            groups: self.run.norm_groups(),
        }
    }
}
