//! The GPU backend: wgpu, on Vulkan, Metal or DX12.

mod accesses;
mod device;
mod executor;
mod fault;
mod halves;
mod loss;
mod memory;
mod pace;
mod pairs;
#[doc(hidden)]
pub mod pieces;
mod pipeline_cache;
mod pipelines;
mod recorded;
#[doc(hidden)]
pub mod reflect;
#[doc(hidden)]
pub mod source;
mod stopwatch;
#[doc(hidden)]
pub mod tile;
mod transfer;
mod trouble;
#[doc(hidden)]
pub mod tuning;
mod verified;
#[doc(hidden)]
pub mod whole;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use device::{Adapter, AdapterFacts, adapters};
pub use fault::{PlantedFault, WHOLE_STEPS};
pub use loss::PlantedLoss;
pub use tile::{Tile, Tiles};
pub use verified::{LeftOut, Subject, Verified, Wrong};
pub use whole::WholeSteps;

use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, Capacity, DeviceDescription, Executor};
use crate::cache;
use crate::error::{Error, Result};
use crate::kernels::Kernel;
use crate::program::{Call, Contents, Plan, Program};
use device::Gpu;
use executor::GpuExecutor;
use pace::Longest;
use tile::{Class, Product};
use tuning::{Kept, Lab, Machine, WGPU_VERSION};
use whole::Choice;

/// Storage buffers of the `update` kernel; WebGPU promises 8, most adapters have more.
const UPDATE_BUFFERS: u32 = 13;

impl AdapterFacts {
    /// Whether it runs plans of f16: it has 16-bit floats, and room for a loss scale beside the
    /// buffers of any kernel.
    pub fn has_halves(&self) -> bool {
        self.features.contains(&"f16") && self.max_storage_buffers > UPDATE_BUFFERS
    }
}

/// A choice that is else made from the adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct GpuOptions {
    /// How all matrix products are cut up; else each as the class of the adapter has it.
    pub tile: Option<Tile>,
    /// Whether shaders check every index and bound every loop; else as `WGFIT_CHECKED_SHADERS` says.
    pub checked_shaders: Option<bool>,
    /// When fused training steps of small networks are run whole, many to a dispatch; else where
    /// `tunes` has it measured to be faster, but never on a software adapter.
    pub whole_steps: Option<WholeSteps>,
    /// Whether the tiles of a plan's products are picked by measuring them, once for each adapter.
    pub tunes: bool,
    /// What is computed wrong on purpose, to see that verification finds it.
    pub planted_fault: Option<PlantedFault>,
    /// Whether what verification found wrong on the adapter, in an earlier run, is left out.
    pub heeds_verification: bool,
    /// When the device is lost on purpose, to see that training goes on.
    pub planted_loss: Option<PlantedLoss>,
    /// Bytes of a plan's buffers beyond which the device is to have no room, to see what follows.
    pub memory_limit: Option<u64>,
    /// How long a submission may take; what takes longer by itself is cut up. Else a tenth of a second, where
    /// a software adapter cuts nothing up.
    pub longest_submission: Option<Duration>,
    /// Threads of the CPU that stands in for a device that is lost for good; 0 for those of
    /// [`CpuBackend::new`].
    pub stand_in_threads: usize,
}

/// A GPU, opened.
#[derive(Debug)]
pub struct GpuBackend {
    gpu: Arc<Gpu>,
    tiles: Tiles,
    checked: bool,
    whole_steps: WholeSteps,
    tunes: bool,
    class: Class,
    facts: AdapterFacts,
    /// PCI numbers of vendor and device.
    numbers: [u32; 2],
    left_out: LeftOut,
    warnings: Vec<String>,
    /// How it was opened.
    options: GpuOptions,
}

impl GpuBackend {
    /// Opens an adapter.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn new(adapter: &Adapter, options: GpuOptions) -> Result<Self> {
        let gpu = Arc::new(Gpu::open(adapter, options)?);
        Ok(Self::of(gpu, adapter.facts.clone(), adapter.numbers(), options))
    }

    /// The same device, opened once, with other options; but for the planted fault, which is the
    /// device's.
    pub fn variant(&self, options: GpuOptions) -> Self {
        Self::of(Arc::clone(&self.gpu), self.facts.clone(), self.numbers, options)
    }

    fn of(gpu: Arc<Gpu>, facts: AdapterFacts, numbers: [u32; 2], options: GpuOptions) -> Self {
        let asked = std::env::var("WGFIT_CHECKED_SHADERS").is_ok_and(|value| value == "1");
        let class = Class::of(&gpu.description, &facts);
        let is_software = matches!(class, Class::Software { .. });
        let mut backend = Self {
            gpu,
            tiles: Tiles::new(class, options.tile),
            checked: options.checked_shaders.unwrap_or(asked),
            // A barrier of a software adapter is a switch of coroutines.
            whole_steps: options.whole_steps.unwrap_or(if options.tunes && !is_software {
                WholeSteps::Measured
            } else {
                WholeSteps::Never
            }),
            tunes: options.tunes && options.tile.is_none(),
            class,
            facts,
            numbers,
            left_out: LeftOut::default(),
            warnings: Vec::new(),
            options,
        };
        if options.heeds_verification {
            let wrong = backend.verified().wrong().to_vec();
            backend.leave_out(&wrong);
        }
        backend
    }

    /// The same device with other options, without what is wrong.
    pub fn variant_without(&self, options: GpuOptions, wrong: &[Wrong]) -> Self {
        let mut backend = self.variant(options);
        backend.leave_out(wrong);
        backend
    }

    /// Leaves out what is wrong.
    fn leave_out(&mut self, wrong: &[Wrong]) {
        let mut taken = self.usable_tiles();
        taken.retain(|tile| !self.is_only_measured(*tile));
        self.left_out = LeftOut::of(wrong, &taken);
        let tiles = self.left_out.tiles.clone();
        self.tiles = self.tiles.clone().leaving_out(tiles, taken);
        if self.left_out.whole_steps {
            self.whole_steps = WholeSteps::Never;
        }
        let name = &self.gpu.description.name;
        let warning = |wrong: &Wrong| {
            format!(
                "{name} computes {wrong} wrong, from {} on: it is left out; more by `wgfit verify`",
                wrong.smallest
            )
        };
        self.warnings = wrong.iter().map(warning).collect();
    }

    /// What verification found of this device, with these shaders.
    pub fn verified(&self) -> Verified {
        Verified::open(cache::folder(), self.machine())
    }

    /// The tiles that its products may be given; last those of which
    /// [`is_only_measured`](Self::is_only_measured) is true.
    pub fn usable_tiles(&self) -> Vec<Tile> {
        verified::usable(self.class, &self.facts)
    }

    /// Whether a tile is taken only after measuring it, and compiled for many seconds: those of a
    /// software adapter that are no choice of its class.
    pub fn is_only_measured(&self, tile: Tile) -> bool {
        verified::is_only_measured(self.class, tile)
    }

    /// The tile that a call is given, where it is a matrix product.
    pub fn tile_of(&self, call: &Call) -> Option<Tile> {
        Product::of(call).map(|product| self.tiles.of(&product))
    }

    /// Keeps pipelines from now on, for the plans that are loaded later.
    pub fn keep_pipelines(&self) {
        self.gpu.pipelines.begin();
    }

    /// wgpu's `noop` backend at WebGPU's default limits, but for the storage buffers of a kernel:
    /// everything builds, nothing is computed.
    ///
    /// # Errors
    /// When wgpu was built without it.
    #[doc(hidden)]
    pub fn noop(options: GpuOptions, storage_buffers: u32) -> Result<Self> {
        let binding_bytes = wgpu::Limits::default().max_storage_buffer_binding_size;
        Self::noop_of(options, storage_buffers, binding_bytes)
    }

    /// The same, of bindings of so many bytes at most.
    ///
    /// # Errors
    /// When wgpu was built without it.
    #[doc(hidden)]
    pub fn noop_of(options: GpuOptions, storage_buffers: u32, binding_bytes: u64) -> Result<Self> {
        Self::new(&device::noop_adapter(storage_buffers, binding_bytes)?, options)
    }

    /// Where candidates for a product are run; with the device's clock or the host's.
    ///
    /// # Errors
    /// When the device has not enough memory.
    #[doc(hidden)]
    pub fn lab(&self, product: &Product, on_device: bool) -> Result<Lab> {
        Lab::new(&self.gpu, self.checked, product, on_device)
    }

    /// What a choice of tiles depends on.
    fn machine(&self) -> Machine {
        let DeviceDescription { name, backend, driver, .. } = self.gpu.description.clone();
        let [vendor, device] = self.numbers;
        Machine {
            vendor,
            device,
            name,
            backend,
            driver,
            wgpu: WGPU_VERSION.to_owned(),
            checked: self.checked,
            shaders: match self.gpu.planted_fault {
                Some(fault) => format!("{} with {fault}", tuning::hash_of_shaders()),
                None => tuning::hash_of_shaders().to_owned(),
            },
        }
    }

    /// The tiles for a plan, with what was wrong with the file that they are kept in.
    fn tiles_for(&self, plan: &Plan) -> (Tiles, Option<String>) {
        // What is run at every step comes before what is run once an epoch.
        let trains = |program: &&Program| {
            program
                .calls
                .iter()
                .any(|call| call.kernel == Kernel::WeightGradient || call.kernel.is_grouped())
        };
        let (training, evaluation): (Vec<_>, Vec<_>) = plan.programs.iter().partition(trains);
        let calls = training.into_iter().chain(evaluation).flat_map(|program| &program.calls);
        let products: Vec<Product> = calls.filter_map(Product::of).collect();
        if !self.tunes || products.is_empty() {
            return (self.tiles.clone(), None);
        }
        let (mut kept, warning) = Kept::open(cache::folder(), self.machine());
        let (class, tiles) = (self.class, &self.tiles);
        tuning::tune(&self.gpu, &self.facts, class, tiles, self.checked, &products, &mut kept);
        kept.save();
        let tuned: HashMap<String, Tile> = products
            .iter()
            .map(Product::bucket)
            .filter_map(|name| kept.get(&name).map(|tile| (name, tile)))
            .collect();
        (self.tiles.clone().tuned(tuned), warning)
    }
}

impl Backend for GpuBackend {
    fn device(&self) -> &DeviceDescription {
        &self.gpu.description
    }

    fn capacity(&self) -> Capacity {
        let limits = &self.gpu.limits;
        let buffers = limits.max_storage_buffers_per_shader_stage;
        Capacity {
            buffer_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            fuses: buffers >= UPDATE_BUFFERS && !self.left_out.fused,
            splits: !matches!(self.class, Class::Software { .. }) && !self.left_out.split,
            halves: self.facts.has_halves() && !self.left_out.halves,
            // A software adapter computes on the host's own cores, llvmpipe within the submit.
            queues: self.gpu.description.kind != "software",
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn wrong_throughout(&self) -> &[&'static str] {
        &self.left_out.without
    }

    fn can_be_lost(&self) -> bool {
        true
    }

    fn reopen(&self) -> Result<Box<dyn Backend + Send>> {
        let name = &self.gpu.description.name;
        let mut refusal = Error::device(format!("{name} is no longer there"));
        let loss = self.options.planted_loss;
        if loss.is_some_and(|loss| loss.is_gone && loss.times == 1) {
            return Err(refusal);
        }
        let options = GpuOptions { planted_loss: loss.and_then(PlantedLoss::next), ..self.options };
        // Of those that are there now: the one from before may be a handle to nothing.
        let is_same = |adapter: &Adapter| {
            adapter.description == self.gpu.description && adapter.numbers() == self.numbers
        };
        for adapter in adapters().iter().filter(|adapter| is_same(adapter)) {
            match Self::new(adapter, options) {
                Ok(backend) => return Ok(Box::new(backend)),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn stand_in(&self) -> Result<Box<dyn Backend + Send>> {
        Ok(Box::new(CpuBackend::with_threads(self.options.stand_in_threads)?))
    }

    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        let capacity = self.capacity();
        let device = &self.gpu.description.name;
        if !capacity.halves && plan.buffers.iter().any(|buffer| buffer.contents == Contents::Halves)
        {
            return Err(Error::internal(format!("{device} cannot run a plan of f16")));
        }
        for buffer in &plan.buffers {
            let needed = buffer.words * 4;
            if needed > capacity.buffer_bytes {
                return Err(Error::TooLarge {
                    what: format!("the buffer {}", buffer.name),
                    needed,
                    allowed: capacity.buffer_bytes,
                    device: device.clone(),
                    help: "use fewer units, a smaller training.batch_size, fewer members, or \
                           --device cpu"
                        .to_owned(),
                });
            }
        }
        let (tiles, warning) = self.tiles_for(plan);
        let limit = self.gpu.limits.max_compute_workgroups_per_dimension;
        for call in plan.programs.iter().flat_map(|program| &program.calls) {
            let groups = source::workgroups(call, tiles.of_call(call), limit);
            if let Some(most) = groups.iter().max().filter(|most| **most > limit) {
                let (kernel, subject) = (call.kernel.name(), &call.subject);
                return Err(Error::usage(format!(
                    "{kernel} of {subject} needs {most} workgroups side by side, but {device} \
                     dispatches {limit} at most"
                ))
                .with_help("use fewer units, a smaller training.batch_size or fewer members"));
            }
        }
        let gpu = Arc::clone(&self.gpu);
        let mut choice = match self.whole_steps {
            WholeSteps::Always => Choice::Always,
            WholeSteps::Measured => {
                let folder = self.tunes.then(cache::folder).flatten();
                Choice::Measured(Box::new(Kept::open(folder, self.machine()).0))
            }
            WholeSteps::Never => Choice::Never,
        };
        let is_software = matches!(self.class, Class::Software { .. });
        let longest = Longest::new(self.options.longest_submission, is_software);
        let executor =
            GpuExecutor::new(gpu, plan, &tiles, self.checked, &mut choice, longest, warning)?;
        if let Choice::Measured(kept) = &mut choice {
            kept.save();
        }
        Ok(Box::new(executor))
    }
}
