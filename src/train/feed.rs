//! Feeds data sets to an executor: whole where they fit the device, else window by window.

use std::ops::Range;
use std::sync::Arc;

use super::steps::Batches;
use crate::backend::{Capacity, Executor};
use crate::catalog::optimizer::Convention;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::program::{BufferId, Pass, PassKind, Plan, Precision, ProgramId, StepSettings};

/// Bytes of a window of a set that the device cannot hold whole.
const WINDOW_BYTES: u64 = 64 << 20;

/// Steps between two looks at the interrupt flag.
const SEGMENT: usize = 128;

/// A data set with the share of it that the device holds at once.
#[derive(Debug, Clone)]
pub struct DeviceSet {
    /// Its name: `train`, `validation`, `test`.
    pub name: String,
    /// Encoded rows, shared with a backend that reads host memory.
    pub features: Arc<[f32]>,
    /// Targets, and behind those of each row its weight where rows have weights.
    pub targets: Arc<[f32]>,
    /// What each row adds to the divisor of a mean loss; empty where each adds 1.
    pub divisors: Vec<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns of `features`.
    pub inputs: usize,
    /// Targets of a row.
    pub target_width: usize,
    /// Elements between rows of `targets`.
    pub target_stride: usize,
    /// Rows held at once; all of them when it is `rows`.
    pub resident_rows: usize,
    /// Variance (of the population) of each target column.
    pub target_variance: Vec<f64>,
}

/// The variance of each of the first `width` of `stride` columns.
fn variances(values: &[f32], width: usize, stride: usize) -> Vec<f64> {
    (0..width)
        .map(|column| {
            let column = || values.iter().skip(column).step_by(stride).map(|y| f64::from(*y));
            let rows = column().count() as f64;
            let mean = column().sum::<f64>() / rows;
            column().map(|y| (y - mean) * (y - mean)).sum::<f64>() / rows
        })
        .collect()
}

impl DeviceSet {
    /// Takes the rows, and decides how many of them a device of that capacity holds at once in that
    /// precision: all, or a window of whole batches (`largest_batch` rows of each of M members).
    pub fn new(
        name: &str,
        rows: WeightedRows,
        inputs: usize,
        target_width: usize,
        precision: Precision,
        capacity: Capacity,
        largest_batch: usize,
    ) -> Self {
        let row_bytes = (inputs * precision.bytes()) as u64;
        let count = rows.rows.rows;
        let fits = count as u64 * row_bytes <= capacity.buffer_bytes;
        let resident_rows = if fits {
            count
        } else {
            let window = (WINDOW_BYTES.min(capacity.buffer_bytes) / row_bytes) as usize;
            (window / largest_batch).max(1) * largest_batch
        };
        let WeightedRows { rows, weights, divisors } = rows;
        let mut targets = rows.targets;
        let weighted = !weights.is_empty();
        if weighted {
            let mut with_weights = Vec::with_capacity(targets.len() + weights.len());
            for (row, weight) in targets.chunks_exact(target_width).zip(&weights) {
                with_weights.extend_from_slice(row);
                with_weights.push(*weight);
            }
            targets = with_weights;
        }
        let target_stride = target_width + usize::from(weighted);
        let target_variance = variances(&targets, target_width, target_stride);
        Self {
            name: name.to_owned(),
            features: rows.features.into(),
            targets: targets.into(),
            divisors,
            rows: count,
            inputs,
            target_width,
            target_stride,
            resident_rows,
            target_variance,
        }
    }

    /// Whether the device holds every row.
    pub fn is_resident(&self) -> bool {
        self.resident_rows == self.rows
    }
}

/// Rows with what they count.
#[derive(Debug, Clone, Default)]
pub struct WeightedRows {
    /// The rows.
    pub rows: Rows,
    /// What each row's loss is multiplied by; empty where all count 1.
    pub weights: Vec<f32>,
    /// What each row adds to the divisor of the mean; empty where each adds 1.
    pub divisors: Vec<f32>,
}

impl WeightedRows {
    /// Rows that count by their own weights alone.
    pub fn evaluated(rows: Rows) -> Self {
        Self { weights: rows.sample_weights.clone(), divisors: Vec::new(), rows }
    }

    /// Rows that count by their own weights and those of their classes. PyTorch divides by the
    /// sum of the classes' weights, Keras by the number of rows.
    pub fn trained(rows: Rows, class_weights: &[f64], convention: Convention) -> Self {
        let weights = rows.training_weights(class_weights);
        let by_classes = convention == Convention::Torch && !class_weights.is_empty();
        if !by_classes {
            return Self { rows, weights, divisors: Vec::new() };
        }
        let mut rows = rows;
        let own = std::mem::take(&mut rows.sample_weights);
        let divisors = rows.training_weights(class_weights);
        rows.sample_weights = own;
        Self { rows, weights, divisors }
    }
}

impl From<Rows> for WeightedRows {
    fn from(rows: Rows) -> Self {
        Self::evaluated(rows)
    }
}

/// One pass: its program, its buffers, its set and how the set is cut.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The set.
    pub set: Arc<DeviceSet>,
    /// How it is cut.
    pub batches: Batches,
    /// What it does.
    pub kind: PassKind,
    /// Whether the outputs of every row are collected.
    pub collects: bool,
    members: usize,
    ids: Option<Ids>,
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
        Self { set: Arc::clone(set), batches, kind, collects: false, members, ids: None }
    }

    /// The pass, with the outputs of every row collected or not.
    #[must_use]
    pub fn collecting(self, collects: bool) -> Self {
        Self { collects, ..self }
    }

    /// What the plan needs to know.
    pub fn pass(&self) -> Pass {
        Pass {
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
            executor.share_reals(ids.features, &self.set.features)?;
            if !self.set.targets.is_empty() {
                executor.share_reals(ids.targets, &self.set.targets)?;
            }
        }
        if self.kind != PassKind::Train {
            executor.write_steps(ids.steps, &self.batches.evaluation_table(self.members))?;
            let one: Vec<u32> = (0..self.set.resident_rows as u32).collect();
            executor.write_words(ids.order, &one.repeat(self.members))?;
        }
        Ok(())
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
        if self.set.is_resident() && !orders.is_empty() {
            executor.write_words(self.ids()?.order, &orders.concat())?;
        }
        Ok(())
    }

    /// Runs every step of the pass. `orders` holds each member's order of the rows; none means
    /// file order. `interrupted` is told now and then how many steps are done; returns whether it said
    /// yes.
    pub fn run(
        &self,
        executor: &mut dyn Executor,
        orders: &[Vec<u32>],
        interrupted: &dyn Fn(usize) -> bool,
    ) -> Result<bool> {
        self.run_steps(0..self.batches.steps(), executor, orders, interrupted)
    }

    /// Those steps of [`Feed::run`]. The steps before them have been run, with the same orders.
    pub fn run_steps(
        &self,
        steps: Range<usize>,
        executor: &mut dyn Executor,
        orders: &[Vec<u32>],
        interrupted: &dyn Fn(usize) -> bool,
    ) -> Result<bool> {
        let ids = self.ids()?;
        if steps.start == 0 {
            self.write_orders(executor, orders)?;
        }
        let mut done = steps.start;
        while done < steps.end {
            let within = done % self.batches.window;
            if !self.set.is_resident() && within == 0 {
                let window = self.batches.window.min(self.batches.steps() - done);
                self.fill_window(executor, ids, orders, done, window)?;
            }
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
        Ok(false)
    }

    /// Runs the pass in file order, one step at a time, and after each hands the executor and the
    /// step's rows to `each`.
    pub fn run_each(
        &self,
        executor: &mut dyn Executor,
        each: &mut dyn FnMut(&mut dyn Executor, usize) -> Result<()>,
    ) -> Result<()> {
        let ids = self.ids()?;
        let steps = self.batches.steps();
        for step in 0..steps {
            self.enter_window(executor, &[], step)?;
            executor.run(ids.program, 1)?;
            let rows = self.batches.batch.min(self.batches.rows - step * self.batches.batch);
            each(executor, rows)?;
        }
        Ok(())
    }

    /// Uploads the rows of the window that begins at a step; nothing where the device holds the set
    /// whole, or the step is within a window.
    pub(super) fn enter_window(
        &self,
        executor: &mut dyn Executor,
        orders: &[Vec<u32>],
        step: usize,
    ) -> Result<()> {
        if self.set.is_resident() || !step.is_multiple_of(self.batches.window) {
            return Ok(());
        }
        let window = self.batches.window.min(self.batches.steps() - step);
        self.fill_window(executor, self.ids()?, orders, step, window)
    }

    /// Gathers the rows of `steps` steps on the host and uploads them.
    fn fill_window(
        &self,
        executor: &mut dyn Executor,
        ids: Ids,
        orders: &[Vec<u32>],
        first: usize,
        steps: usize,
    ) -> Result<()> {
        let from = first * self.batches.batch;
        let count = (steps * self.batches.batch).min(self.set.rows - from);
        let inputs = self.set.inputs;
        let width = self.set.target_stride;
        if orders.is_empty() {
            let part = |values: &Arc<[f32]>, width: usize| -> Arc<[f32]> {
                if values.is_empty() {
                    return Arc::from([]);
                }
                values[from * width..(from + count) * width].into()
            };
            executor.share_reals(ids.features, &part(&self.set.features, inputs))?;
            return executor.share_reals(ids.targets, &part(&self.set.targets, width));
        }
        let mut features = Vec::with_capacity(count * orders.len() * inputs);
        let mut targets = Vec::with_capacity(count * orders.len() * width);
        let mut order = Vec::with_capacity(self.set.resident_rows * orders.len());
        for (member, rows) in orders.iter().enumerate() {
            for &row in &rows[from..from + count] {
                let row = row as usize;
                features.extend_from_slice(&self.set.features[row * inputs..(row + 1) * inputs]);
                targets.extend_from_slice(&self.set.targets[row * width..(row + 1) * width]);
            }
            let start = (member * count) as u32;
            order.extend(
                (0..self.set.resident_rows as u32)
                    .map(|i| if (i as usize) < count { start + i } else { 0 }),
            );
        }
        executor.share_reals(ids.features, &features.into())?;
        executor.share_reals(ids.targets, &targets.into())?;
        executor.write_words(ids.order, &order)
    }
}
