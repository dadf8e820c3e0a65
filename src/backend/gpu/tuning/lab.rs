//! Where candidates are run: products like the plan's, on random numbers.
//!
//! The product is one of `matrix_product`, whose operands lie as those of the kernel in question do:
//! the same loads, the same multiplications, none of its epilogue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::pick::Trial;
use crate::backend::Counters;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::pipelines::{Dispatch, build};
use crate::backend::gpu::tile::{Along, Class, Operand, Product, Tile, Tiles};
use crate::backend::gpu::transfer::Transfer;
use crate::error::{Error, Result};
use crate::kernels::matrix_product::MatrixProduct;
use crate::kernels::{Kernel, Parameters};
use crate::program::{
    Call, Contents, MemberState, Plan, Program, STEP_WORDS, StepSettings, Variants,
};

/// Rows, columns and depth of the product that is checked: blocks of every tile with edges on all
/// sides, within which all results are compared.
const CHECKED: [u32; 3] = [133, 137, 41];

/// Members of it.
const CHECKED_MEMBERS: u32 = 2;

/// A measurement takes about this long, unless one run is longer.
const SECONDS: f64 = 0.004;

/// Runs of a measurement at most.
const MOST_RUNS: usize = 64;

/// Random numbers before they repeat.
const PERIOD: usize = 1 << 20;

/// Unit roundoff of f32.
const U: f64 = 1.0 / 16_777_216.0;

/// One operand in memory.
#[derive(Clone, Copy)]
struct Layout {
    along_depth: bool,
    pitch: u32,
    lines: u32,
}

impl Layout {
    fn new(operand: &Operand, breadth: u32, depth: u32) -> Self {
        let along_depth = operand.along == Along::Depth;
        let (lines, length) = if along_depth { (breadth, depth) } else { (depth, breadth) };
        let pitch = match (operand.quads, length % 4) {
            (true, _) => length.next_multiple_of(4),
            // No quad may begin at every line, and no line may look like a step within one.
            (false, 0) => length + 1,
            (false, _) => length.max(2),
        };
        Self { along_depth, pitch, lines }
    }

    fn words(&self) -> u32 {
        self.pitch * self.lines
    }

    /// (elements between steps in breadth, between steps in depth).
    fn strides(&self) -> (u32, u32) {
        if self.along_depth { (self.pitch, 1) } else { (1, self.pitch) }
    }
}

/// A product as it is run.
#[derive(Clone, Copy)]
struct Shape {
    rows: u32,
    columns: u32,
    depth: u32,
    members: u32,
    a: Layout,
    b: Layout,
}

impl Shape {
    fn new(product: &Product, [rows, columns, depth]: [u32; 3], members: u32) -> Self {
        let (a, b) = (&product.a, &product.b);
        let whole = |length: u32, quads: bool| if quads { (length & !3).max(4) } else { length };
        let rows = whole(rows, a.quads && a.along == Along::Breadth);
        let columns = whole(columns, b.quads && b.along == Along::Breadth);
        let deep = |x: &Operand| x.quads && x.along == Along::Depth;
        let depth = whole(depth, deep(a) || deep(b));
        Self {
            rows,
            columns,
            depth,
            members,
            a: Layout::new(a, rows, depth),
            b: Layout::new(b, columns, depth),
        }
    }

    fn call(&self, plan: &Plan) -> Result<Call> {
        let ((left_row, left_depth), (right_column, right_depth)) =
            (self.a.strides(), self.b.strides());
        let names = ["steps", "state", "left", "right", "addend", "product"];
        let bindings =
            names.into_iter().map(|name| Ok((name, plan.buffer(name)?))).collect::<Result<_>>()?;
        Ok(Call {
            kernel: Kernel::MatrixProduct,
            subject: "a trial".to_owned(),
            variants: Variants::default(),
            parameters: Parameters::MatrixProduct(MatrixProduct {
                // Members share the row of settings.
                members: 1,
                rows: self.rows,
                columns: self.columns,
                depth: self.depth,
                left_row,
                left_depth,
                left_member_stride: self.a.words(),
                right_depth,
                right_column,
                right_member_stride: self.b.words(),
                product_row: self.columns,
                product_column: 1,
                product_member_stride: self.rows * self.columns,
                of_product: 1.0,
                ..MatrixProduct::default()
            }),
            bindings,
            extent: [self.columns, self.rows, self.members],
        })
    }

    fn words(&self) -> [u64; 3] {
        let members = u64::from(self.members);
        let results = u64::from(self.rows) * u64::from(self.columns);
        [
            u64::from(self.a.words()) * members,
            u64::from(self.b.words()) * members,
            results * members,
        ]
    }
}

/// The number at a place of an operand: above 0, so that a sum of products is the sum of their sizes.
fn value(side: usize, at: usize) -> f32 {
    let mixed = ((at % PERIOD) as u32 ^ (side as u32 * 0x5bd1_e995)).wrapping_mul(0x9e37_79b1);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b);
    0.25 + (mixed >> 8) as f32 / 22_369_622.0
}

/// Buffers of one product, and the candidates that were built on them.
#[derive(Debug)]
pub struct Lab {
    gpu: Arc<Gpu>,
    checked: bool,
    plan: Plan,
    buffers: Vec<wgpu::Buffer>,
    transfer: Transfer,
    counters: Counters,
    /// The results of the product that is checked, in f64.
    wanted: Vec<f64>,
    depth: u32,
    /// The product that is checked, then the one that is timed.
    built: HashMap<Tile, [Dispatch; 2]>,
    clock: Clock,
    runs: usize,
}

/// What time is read from.
#[derive(Debug)]
enum Clock {
    /// The host's.
    Wall,
    /// The device's: the set, where it is resolved to, nanoseconds a tick.
    Device { set: wgpu::QuerySet, ticks: wgpu::Buffer, period: f64 },
}

impl Lab {
    /// Makes the buffers of a product. `on_device`: times are read from the device's clock.
    ///
    /// # Errors
    /// When the device has not enough memory.
    pub(in crate::backend::gpu) fn new(
        gpu: &Arc<Gpu>,
        checked: bool,
        product: &Product,
        on_device: bool,
    ) -> Result<Self> {
        let small = Shape::new(product, CHECKED, CHECKED_MEMBERS);
        let sizes = [product.rows, product.columns, product.depth].map(|size| size.max(1));
        let limit = gpu.limits.max_storage_buffer_binding_size.min(gpu.limits.max_buffer_size) / 4;
        let one = Shape::new(product, sizes, 1);
        let largest = one.words().into_iter().max().unwrap_or(1).max(1);
        let members = u64::from(product.members).min(limit / largest).max(1);
        let real = Shape { members: members as u32, ..one };
        let mut plan = Plan::empty(CHECKED_MEMBERS.max(real.members) as usize);
        plan.add("steps", Contents::Steps, STEP_WORDS * CHECKED_MEMBERS.max(real.members) as usize);
        plan.add("state", Contents::State, 4 * CHECKED_MEMBERS.max(real.members) as usize);
        let words = |which: usize| small.words()[which].max(real.words()[which]) as usize;
        plan.add("left", Contents::Reals, words(0));
        plan.add("right", Contents::Reals, words(1));
        plan.add("addend", Contents::Reals, 4);
        plan.add("product", Contents::Reals, words(2));
        for (name, shape) in [("checked", small), ("timed", real)] {
            let call = shape.call(&plan)?;
            plan.programs.push(Program { name: name.to_owned(), calls: vec![call] });
        }
        let mut counters = Counters::default();
        let mut buffers = Vec::with_capacity(plan.buffers.len());
        for spec in &plan.buffers {
            buffers.push(gpu.storage_buffer(&spec.name, spec.words)?);
        }
        let bytes = plan.buffers.get(5).map_or(0, |spec| spec.words * 4);
        let transfer = Transfer::new(gpu, &[bytes.min(small.words()[2] * 4)], &mut counters)?;
        let clock = if on_device { device_clock(gpu)? } else { Clock::Wall };
        let lab = Self {
            gpu: Arc::clone(gpu),
            checked,
            plan,
            buffers,
            transfer,
            counters,
            wanted: results(&small),
            depth: small.depth,
            built: HashMap::new(),
            clock,
            runs: 1,
        };
        lab.fill();
        Ok(lab)
    }

    fn fill(&self) {
        let queue = &self.gpu.queue;
        let step = StepSettings::<f32> { updates: 1, ..StepSettings::default() };
        let members = self.plan.members;
        queue.write_buffer(&self.buffers[0], 0, bytemuck::cast_slice(&vec![step; members]));
        let states = vec![MemberState::START; members];
        queue.write_buffer(&self.buffers[1], 0, bytemuck::cast_slice(&states));
        for side in [0, 1] {
            let buffer = &self.buffers[2 + side];
            let words = (buffer.size() / 4) as usize;
            let block: Vec<f32> = (0..words.min(PERIOD)).map(|at| value(side, at)).collect();
            for first in (0..words).step_by(PERIOD) {
                let length = (words - first).min(PERIOD);
                let bytes = bytemuck::cast_slice(&block[..length]);
                queue.write_buffer(buffer, first as u64 * 4, bytes);
            }
        }
    }

    /// Runs one of the two products of a tile that was built.
    fn run(&mut self, tile: Tile, which: usize, runs: usize) -> Result<f64> {
        let dispatch = self
            .built
            .get(&tile)
            .map(|both| &both[which])
            .ok_or_else(|| Error::internal(format!("{tile} was not built")))?;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        if which == 0 {
            encoder.clear_buffer(&self.buffers[5], 0, None);
        }
        let timestamp_writes = match &self.clock {
            Clock::Wall => None,
            Clock::Device { set, .. } => Some(wgpu::ComputePassTimestampWrites {
                query_set: set,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            }),
        };
        {
            let mut pass = encoder
                .begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            let [x, y, z] = dispatch.workgroups;
            for _ in 0..runs {
                pass.dispatch_workgroups(x, y, z);
            }
        }
        if let Clock::Device { set, ticks, .. } = &self.clock {
            encoder.resolve_query_set(set, 0..2, ticks, 0);
        }
        let begun = Instant::now();
        let submission = self.gpu.queue.submit([encoder.finish()]);
        self.gpu.wait(Some(submission))?;
        let seconds = match &self.clock {
            Clock::Wall => begun.elapsed().as_secs_f64(),
            Clock::Device { ticks, period, .. } => {
                let read = read(&mut self.transfer, &self.gpu, &mut self.counters, ticks, 16)?;
                let at = |which: usize| {
                    read.as_chunks().0.get(which).map_or(0, |bytes| u64::from_le_bytes(*bytes))
                };
                at(1).saturating_sub(at(0)) as f64 * period * 1e-9
            }
        };
        Ok(seconds / runs as f64)
    }

    fn build(&mut self, tile: Tile) -> Result<()> {
        let tiles = Tiles::new(Class::Discrete, Some(tile));
        let counters = &mut self.counters;
        let built = build(&self.gpu, &self.plan, &self.buffers, &tiles, self.checked, counters)?;
        let both: Vec<Dispatch> = built.into_iter().flatten().collect();
        let both = both.try_into().map_err(|_| Error::internal("a trial has two products"))?;
        self.built.insert(tile, both);
        Ok(())
    }
}

fn device_clock(gpu: &Gpu) -> Result<Clock> {
    gpu.scoped("timestamps", || Clock::Device {
        set: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("a trial"),
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        }),
        ticks: gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("ticks"),
            size: 16,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        }),
        period: f64::from(gpu.queue.get_timestamp_period()),
    })
}

/// All results of a product, in f64.
fn results(shape: &Shape) -> Vec<f64> {
    let read = |side: usize, layout: &Layout, member: u32, breadth: u32, k: u32| {
        let (step, deep) = layout.strides();
        let at = member * layout.words() + breadth * step + k * deep;
        f64::from(value(side, at as usize))
    };
    let mut all = Vec::with_capacity(shape.words()[2] as usize);
    for member in 0..shape.members {
        for row in 0..shape.rows {
            for column in 0..shape.columns {
                let terms = (0..shape.depth).map(|k| {
                    read(0, &shape.a, member, row, k) * read(1, &shape.b, member, column, k)
                });
                all.push(terms.sum());
            }
        }
    }
    all
}

/// The start of a buffer.
fn read(
    transfer: &mut Transfer,
    gpu: &Gpu,
    counters: &mut Counters,
    buffer: &wgpu::Buffer,
    bytes: u64,
) -> Result<Vec<u8>> {
    let staging = transfer.begin_read(gpu, &[(buffer, 0, bytes)], counters)?;
    Ok(transfer.take(gpu, staging, std::iter::once(bytes), counters)?.remove(0))
}

impl Trial for Lab {
    fn is_right(&mut self, tile: Tile) -> Result<bool> {
        self.build(tile)?;
        self.run(tile, 0, 1)?;
        let bytes = self.wanted.len() as u64 * 4;
        let product = &self.buffers[5];
        let found = read(&mut self.transfer, &self.gpu, &mut self.counters, product, bytes)?;
        let gamma = 1.01 * f64::from(self.depth + 8) * U;
        let right = found.as_chunks().0.iter().zip(&self.wanted).all(|(bytes, wanted)| {
            // Written so that NaN fails.
            (f64::from(f32::from_le_bytes(*bytes)) - wanted).abs() <= gamma * wanted
        });
        // The first run of the product that is timed may still compile.
        let once = self.run(tile, 1, 1)?;
        if self.built.len() == 1 {
            let again = self.run(tile, 1, 1)?.min(once).max(1e-7);
            self.runs = ((SECONDS / again) as usize).clamp(1, MOST_RUNS);
        }
        Ok(right && found.len() as u64 == bytes)
    }

    fn seconds(&mut self, tile: Tile) -> Result<f64> {
        self.run(tile, 1, self.runs)
    }
}
