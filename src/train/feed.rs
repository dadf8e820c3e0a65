//! Feeds data sets to an executor: whole where they fit the device, else window by window.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use super::device_set::{DeviceSet, Features};
use super::order::{Draws, EpochOrder, Shuffle};
use super::shares::Shares;
use super::steps::{Batches, idle_step, side_by_side};
use super::windows::{Way, Windows};
use crate::backend::Executor;
use crate::error::{Error, Result};
use crate::program::{BufferId, Pass, PassKind, Plan, ProgramId, StepSettings};

/// Steps between two looks at the interrupt flag.
const SEGMENT: usize = 128;

/// One pass: its program, its buffers, its set and how the set is cut.
#[derive(Debug)]
pub struct Feed {
    /// What its scores are called: the set's name, or that of those of its rows that it takes.
    pub name: String,
    /// The set.
    pub set: Arc<DeviceSet>,
    /// How it is cut; where members have rows of their own, how those of the one are that has most.
    pub batches: Batches,
    /// The rows of each member, where they are not all of the set.
    pub shares: Option<Arc<Shares>>,
    /// The variance of each target over the rows of each fold; empty where members take all rows.
    variances: Vec<Vec<f64>>,
    /// What it does.
    pub kind: PassKind,
    /// Whether the outputs of every row are collected.
    pub collects: bool,
    members: usize,
    ids: Option<Ids>,
    /// The windows of the pass that is under way, where the device does not hold the set.
    windows: RefCell<Option<Windows>>,
}

#[derive(Debug, Clone, Copy)]
struct Ids {
    program: ProgramId,
    features: BufferId,
    targets: BufferId,
    order: BufferId,
    steps: BufferId,
    state: BufferId,
    log: BufferId,
    collected: Option<BufferId>,
}

impl Feed {
    /// A pass over a set in batches of `batch` rows.
    pub fn new(
        set: &Arc<DeviceSet>,
        kind: PassKind,
        batch: usize,
        drop_last: bool,
        members: usize,
    ) -> Self {
        let batch = batch.min(set.rows).max(1);
        // In a window each member has rows of its own when it trains: members see different orders.
        let rows_a_step =
            if kind == PassKind::Train { batch.saturating_mul(members) } else { batch };
        let mut batches = Batches { rows: set.rows, batch, drop_last, window: usize::MAX };
        batches.window = if set.is_resident() {
            batches.steps()
        } else {
            (set.resident_rows / rows_a_step).max(1)
        };
        Self {
            name: set.name.clone(),
            set: Arc::clone(set),
            batches,
            shares: None,
            variances: Vec::new(),
            kind,
            collects: false,
            members,
            ids: None,
            windows: RefCell::default(),
        }
    }

    /// The pass in windows of so many rows, of which every member takes the same, where the device
    /// holds as many and not all of the set.
    #[must_use]
    pub fn in_windows(mut self, rows: Option<usize>) -> Self {
        if let Some(rows) = rows
            && !self.set.is_resident()
            && rows <= self.set.resident_rows
        {
            self.batches.window = (rows / self.batches.batch).max(1);
        }
        self
    }

    /// The pass over rows that each member has for itself, of a set that the device holds whole. `name`
    /// is what its scores are called.
    #[must_use]
    pub fn sharing(mut self, name: &str, shares: Shares) -> Self {
        self.name = name.to_owned();
        self.batches.rows = shares.most();
        self.batches.window = self.batches.steps();
        let variances = |fold| self.set.variances_of(shares.of(fold));
        self.variances = (0..shares.folds()).map(variances).collect();
        self.shares = Some(Arc::new(shares));
        self
    }

    /// The variance of each target over a member's rows: of all members, or of those of each fold.
    pub fn variances(&self) -> &[Vec<f64>] {
        match self.variances.as_slice() {
            [] => std::slice::from_ref(&self.set.target_variance),
            variances => variances,
        }
    }

    /// How a member's rows are cut.
    pub fn batches_of(&self, member: usize) -> Batches {
        match &self.shares {
            Some(shares) => self.batches.of_rows(shares.of(member).len()),
            None => self.batches,
        }
    }

    /// Whether some member is done with its rows before another.
    pub fn is_uneven(&self) -> bool {
        self.shares.as_ref().is_some_and(|shares| {
            self.batches.of_rows(shares.least()).steps() < self.batches.steps()
        })
    }

    /// The order of the rows that stays the same from pass to pass; none where the members take all
    /// rows in file order.
    pub fn fixed_order(&self) -> Option<EpochOrder> {
        let shares = self.shares.as_deref()?;
        Some(EpochOrder::of_shares(Shuffle::Never, Draws::of_run(0, 1, self.members), shares))
    }

    /// The pass, with the outputs of every row collected or not.
    #[must_use]
    pub fn collecting(self, collects: bool) -> Self {
        Self { collects, ..self }
    }

    /// What the plan needs to know.
    pub fn pass(&self) -> Pass {
        Pass {
            name: self.name.clone(),
            set: self.set.name.clone(),
            kind: self.kind,
            resident_rows: self.set.resident_rows,
            batch_rows: self.batches.batch,
            table_steps: self.batches.steps(),
            weighted: self.set.target_stride > self.set.target_width,
            collected_rows: if self.collects { self.batches.covered() } else { 0 },
        }
    }

    /// Finds the pass's buffers, and uploads what does not change between epochs.
    ///
    /// # Errors
    /// Those of the executor.
    pub fn prepare(&mut self, plan: &Plan, executor: &mut dyn Executor) -> Result<()> {
        let set = |name: &str| plan.buffer(&format!("{}.{name}", self.set.name));
        let program = self.pass().program();
        let own = |name: &str| plan.buffer(&format!("{program}.{name}"));
        let ids = Ids {
            program: plan.program(&program)?,
            features: set("features")?,
            targets: set("targets")?,
            order: own("order")?,
            steps: own("steps")?,
            state: own("state")?,
            log: own("log")?,
            collected: if self.collects { Some(own("collected")?) } else { None },
        };
        self.ids = Some(ids);
        if self.set.is_resident() {
            let Features::Memory(features) = &self.set.features else {
                return Err(Error::internal("a set in a file was taken to be on the device"));
            };
            executor.share_reals(ids.features, features)?;
            if !self.set.targets.is_empty() {
                executor.share_reals(ids.targets, &self.set.targets)?;
            }
        }
        if self.kind != PassKind::Train {
            self.write_evaluation(executor, &vec![[0.0; 3]; self.members])?;
            match self.fixed_order() {
                Some(order) => self.write_orders(executor, order.held())?,
                None => {
                    let one: Vec<u32> = (0..self.set.resident_rows as u32).collect();
                    executor.write_words(ids.order, &one.repeat(self.members))?;
                }
            }
        }
        Ok(())
    }

    /// Uploads the table of a pass that does not train. `losses` are the parameters of each member's loss,
    /// where they differ in them.
    pub(super) fn write_evaluation(
        &self,
        executor: &mut dyn Executor,
        losses: &[[f64; 3]],
    ) -> Result<()> {
        let of_member = losses.iter().enumerate();
        let table =
            |(member, loss): (usize, &[f64; 3])| self.batches_of(member).evaluation_table(*loss);
        let tables: Vec<_> = of_member.map(table).collect();
        executor.write_steps(self.ids()?.steps, &side_by_side(&tables, idle_step))
    }

    fn ids(&self) -> Result<Ids> {
        self.ids.ok_or_else(|| Error::internal("a pass was run before it was prepared"))
    }

    /// The buffer of the members' state.
    pub fn state(&self) -> Result<BufferId> {
        Ok(self.ids()?.state)
    }

    /// The buffer of the log.
    pub fn log(&self) -> Result<BufferId> {
        Ok(self.ids()?.log)
    }

    /// The buffer of the outputs of every row, where they are collected.
    pub fn collected(&self) -> Result<Option<BufferId>> {
        Ok(self.ids()?.collected)
    }

    /// The program.
    pub fn program(&self) -> Result<ProgramId> {
        Ok(self.ids()?.program)
    }

    /// Puts other rows, as many, in the place of those of a set that the device holds whole.
    pub(crate) fn replace_features(
        &self,
        executor: &mut dyn Executor,
        features: &Arc<[f32]>,
    ) -> Result<()> {
        executor.share_reals(self.ids()?.features, features)
    }

    /// Uploads an epoch's table of steps.
    pub fn write_steps(
        &self,
        executor: &mut dyn Executor,
        table: &[StepSettings<f64>],
    ) -> Result<()> {
        executor.write_steps(self.ids()?.steps, table)
    }

    /// Uploads each member's order of the rows, where the device holds the set whole; none leaves
    /// the order as it is.
    pub fn write_orders(&self, executor: &mut dyn Executor, orders: &[Vec<u32>]) -> Result<()> {
        if !self.set.is_resident() || orders.is_empty() {
            return Ok(());
        }
        let id = self.ids()?.order;
        if self.shares.is_none() {
            return executor.write_words(id, &orders.concat());
        }
        // Each member's rows begin at a multiple of those of the set.
        let mut words = vec![0; self.set.resident_rows * orders.len()];
        for (own, order) in words.chunks_exact_mut(self.set.resident_rows).zip(orders) {
            own[..order.len()].copy_from_slice(order);
        }
        executor.write_words(id, &words)
    }

    /// Runs every step of the pass, in that order of the rows; none means file order. `interrupted` is
    /// told now and then how many steps are done; returns whether it said yes.
    pub fn run(
        &self,
        executor: &mut dyn Executor,
        order: Option<&Arc<EpochOrder>>,
        interrupted: &dyn Fn(usize) -> bool,
    ) -> Result<bool> {
        self.run_steps(0..self.batches.steps(), executor, order, interrupted)
    }

    /// Those steps of [`Feed::run`]. The steps before them have been run, with the same order, here or
    /// before a checkpoint.
    pub fn run_steps(
        &self,
        steps: Range<usize>,
        executor: &mut dyn Executor,
        order: Option<&Arc<EpochOrder>>,
        interrupted: &dyn Fn(usize) -> bool,
    ) -> Result<bool> {
        let ids = self.ids()?;
        if let Some(order) = order.filter(|_| steps.start == 0) {
            self.write_orders(executor, order.held())?;
        }
        let mut done = steps.start;
        while done < steps.end {
            let within = done % self.batches.window;
            // A pass that begins within a window needs its rows too.
            let is_begun = self.windows.borrow().is_some();
            let entered = if is_begun { done } else { done - within };
            self.enter_window(executor, order, entered)?;
            let end = steps.end.min(done - within + self.batches.window);
            while done < end {
                let segment = SEGMENT.min(end - done);
                executor.run(ids.program, segment)?;
                done += segment;
                if interrupted(done) {
                    return Ok(true);
                }
            }
        }
        if done == self.batches.steps() {
            self.leave_windows(executor)?;
        }
        Ok(false)
    }

    /// Runs the steps of the first `rows` rows in file order, one at a time, and after each hands the
    /// executor and the number of those rows in it to `each`.
    pub fn run_each(
        &self,
        rows: usize,
        executor: &mut dyn Executor,
        each: &mut dyn FnMut(&mut dyn Executor, usize) -> Result<()>,
    ) -> Result<()> {
        let ids = self.ids()?;
        let batch = self.batches.batch;
        for (step, first) in (0..rows.min(self.batches.rows)).step_by(batch).enumerate() {
            self.enter_window(executor, None, step)?;
            executor.run(ids.program, 1)?;
            each(executor, batch.min(rows - first))?;
        }
        self.leave_windows(executor)
    }

    /// Uploads the rows of the window that begins at a step; nothing where the device holds the set
    /// whole, or the step is within a window.
    pub(super) fn enter_window(
        &self,
        executor: &mut dyn Executor,
        order: Option<&Arc<EpochOrder>>,
        step: usize,
    ) -> Result<()> {
        if self.set.is_resident() || !step.is_multiple_of(self.batches.window) {
            return Ok(());
        }
        let ids = self.ids()?;
        let mut windows = self.windows.borrow_mut();
        let begun = windows.take().filter(|windows| windows.comes_next(step, order));
        let windows = windows.insert(match begun {
            Some(begun) => begun,
            None => Windows::begin(self.way(order), step)?,
        });
        windows.next(&mut |window| {
            executor.share_reals(ids.features, &window.features)?;
            if !window.targets.is_empty() {
                executor.share_reals(ids.targets, &window.targets)?;
            }
            match window.order.as_slice() {
                [] => Ok(()),
                order => executor.write_words(ids.order, order),
            }
        })
    }

    fn way(&self, order: Option<&Arc<EpochOrder>>) -> Way {
        Way { set: Arc::clone(&self.set), batches: self.batches, order: order.cloned() }
    }

    /// Gives the windows of a set on a disk up at the end of a pass: the next one may be another
    /// set's, and those of both are not to be in memory at once.
    fn leave_windows(&self, executor: &mut dyn Executor) -> Result<()> {
        let windows = self.windows.borrow_mut().take();
        if windows.is_some() && matches!(self.set.features, Features::File(_)) {
            let ids = self.ids()?;
            let nothing: Arc<[f32]> = Arc::from([]);
            executor.share_reals(ids.features, &nothing)?;
            executor.share_reals(ids.targets, &nothing)?;
        }
        Ok(())
    }
}
