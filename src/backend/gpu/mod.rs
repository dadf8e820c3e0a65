//! The GPU backend: wgpu, on Vulkan, Metal or DX12.

mod device;
mod executor;
mod pipeline_cache;
mod pipelines;
pub mod reflect;
pub mod source;
mod stopwatch;
pub mod tile;
mod transfer;
pub mod whole;

use std::sync::Arc;

pub use device::{Adapter, AdapterFacts, adapters};
pub use tile::{Tile, Tiles};
pub use whole::WholeSteps;

use crate::backend::{Backend, Capacity, DeviceDescription, Executor};
use crate::error::{Error, Result};
use crate::program::Plan;
use device::Gpu;
use executor::GpuExecutor;

/// Storage buffers of the `update` kernel; WebGPU promises 8, most adapters have more.
const UPDATE_BUFFERS: u32 = 13;

/// A choice that is else made from the adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct GpuOptions {
    /// How all matrix products are cut up; else each as the class of the adapter has it.
    pub tile: Option<Tile>,
    /// Whether shaders check every index and bound every loop; else as `WGFIT_CHECKED_SHADERS` says.
    pub checked_shaders: Option<bool>,
    /// When fused training steps of small networks are run whole, many to a dispatch; else where
    /// that is measured to be faster, but never on a software adapter.
    pub whole_steps: Option<WholeSteps>,
}

/// A GPU, opened.
#[derive(Debug)]
pub struct GpuBackend {
    gpu: Arc<Gpu>,
    tiles: Tiles,
    checked: bool,
    whole_steps: WholeSteps,
}

impl GpuBackend {
    /// Opens an adapter.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn new(adapter: &Adapter, options: GpuOptions) -> Result<Self> {
        let asked = std::env::var("WGFIT_CHECKED_SHADERS").is_ok_and(|value| value == "1");
        Ok(Self {
            gpu: Arc::new(Gpu::open(adapter)?),
            tiles: Tiles::new(tile::Class::of(&adapter.description, &adapter.facts), options.tile),
            checked: options.checked_shaders.unwrap_or(asked),
            // A barrier of a software adapter is a switch of coroutines; noop computes nothing.
            whole_steps: options.whole_steps.unwrap_or(
                if adapter.is_software() || adapter.description.backend == "noop" {
                    WholeSteps::Never
                } else {
                    WholeSteps::Measured
                },
            ),
        })
    }

    /// wgpu's `noop` backend at WebGPU's default limits, but for the storage buffers of a kernel:
    /// everything builds, nothing is computed.
    ///
    /// # Errors
    /// When wgpu was built without it.
    #[doc(hidden)]
    pub fn noop(options: GpuOptions, storage_buffers: u32) -> Result<Self> {
        Self::new(&device::noop_adapter(storage_buffers)?, options)
    }

    /// How matrix products are cut up.
    pub fn tiles(&self) -> &Tiles {
        &self.tiles
    }
}

impl Backend for GpuBackend {
    fn device(&self) -> &DeviceDescription {
        &self.gpu.description
    }

    fn capacity(&self) -> Capacity {
        let limits = &self.gpu.limits;
        Capacity {
            buffer_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            fuses: limits.max_storage_buffers_per_shader_stage >= UPDATE_BUFFERS,
            // A software adapter computes on the host's own cores, llvmpipe within the submit.
            queues: self.gpu.description.kind != "software",
        }
    }

    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        let capacity = self.capacity();
        let device = &self.gpu.description.name;
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
        let limit = self.gpu.limits.max_compute_workgroups_per_dimension;
        for call in plan.programs.iter().flat_map(|program| &program.calls) {
            let groups = source::workgroups(call, self.tiles.of_call(call), limit);
            if let Some(most) = groups.iter().max().filter(|most| **most > limit) {
                return Err(Error::TooLarge {
                    what: format!("{} of {} (in workgroups)", call.kernel.name(), call.subject),
                    needed: u64::from(*most),
                    allowed: u64::from(limit),
                    device: device.clone(),
                    help: "use fewer units, a smaller training.batch_size or fewer members"
                        .to_owned(),
                });
            }
        }
        let gpu = Arc::clone(&self.gpu);
        let executor = GpuExecutor::new(gpu, plan, &self.tiles, self.checked, self.whole_steps)?;
        Ok(Box::new(executor))
    }
}
