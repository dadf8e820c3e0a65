//! Adapters: what there is, and a device of one.

#![allow(unsafe_code)]

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::GpuOptions;
use super::fault::PlantedFault;
use super::loss::PlantedLoss;
use super::pipelines::KeptPipelines;
use super::tile::{FRAGMENT, SUBGROUPS};
use super::trouble::Trouble;
use crate::backend::DeviceDescription;
use crate::error::{Error, Result};
use crate::fault::{Operation, strikes_device};

/// An adapter that can be trained on.
#[derive(Debug, Clone)]
pub struct Adapter {
    adapter: wgpu::Adapter,
    /// Its description.
    pub description: DeviceDescription,
    /// What it allows.
    pub facts: AdapterFacts,
}

/// Limits and features of an adapter, as `wgfit devices` prints them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdapterFacts {
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer that a kernel can see, in bytes.
    pub max_binding_bytes: u64,
    /// Memory of a workgroup, in bytes.
    pub workgroup_memory_bytes: u32,
    /// Invocations of a workgroup.
    pub max_invocations: u32,
    /// Storage buffers that a kernel can bind.
    pub max_storage_buffers: u32,
    /// Smallest and largest subgroup.
    pub subgroup_sizes: (u32, u32),
    /// Invocations of every subgroup, where all have as many.
    pub fixed_subgroup: Option<u32>,
    /// Products of fragments that a subgroup computes together.
    pub cooperative_matrices: Vec<CooperativeMatrix>,
    /// Optional features that speed training or measuring up.
    pub features: Vec<&'static str>,
}

/// A product of fragments: rows x depth times depth x columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CooperativeMatrix {
    /// Rows of results.
    pub rows: u32,
    /// Columns of results.
    pub columns: u32,
    /// Products in a result.
    pub depth: u32,
    /// The type of the operands' elements, such as `f16`.
    pub operands: &'static str,
    /// The type of the results' elements.
    pub results: &'static str,
}

/// Features that are asked for when they are there, and never required.
const WANTED: [(wgpu::Features, &str); 6] = [
    (wgpu::Features::SUBGROUP, "subgroups"),
    (wgpu::Features::SHADER_F16, "f16"),
    (wgpu::Features::SHADER_INT64, "int64"),
    (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
    (wgpu::Features::PIPELINE_CACHE, "pipeline_cache"),
    (wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "cooperative_matrix"),
];

/// The features of [`WANTED`] that an adapter has. wgpu gives cooperative matrices of any shape and
/// type one name, and those of ours are few; nor is there a tile for every size of subgroups.
fn wanted(adapter: &wgpu::Adapter) -> impl Iterator<Item = (wgpu::Features, &'static str)> {
    let supported = adapter.features();
    let fragments = cooperative_matrices(adapter).contains(&FRAGMENT)
        && fixed_subgroup(&adapter.get_info()).is_some_and(|size| SUBGROUPS.contains(&size));
    let is_software = adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    WANTED.into_iter().filter(move |(feature, _)| {
        let usable = match *feature {
            wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX => fragments,
            // Only tiles of software adapters have them.
            wgpu::Features::SHADER_INT64 => is_software,
            _ => true,
        };
        usable && supported.contains(*feature)
    })
}

/// The size of every subgroup, where all have the same. wgpu tells none of Metal, 4 to 64 of whatever
/// device; Apple's own GPUs, the only ones with `simdgroup_matrix`, have SIMD groups of 32.
fn fixed_subgroup(info: &wgpu::AdapterInfo) -> Option<u32> {
    if info.backend == wgpu::Backend::Metal {
        return info.name.starts_with("Apple ").then_some(32);
    }
    (info.subgroup_min_size == info.subgroup_max_size).then_some(info.subgroup_min_size)
}

/// What products of fragments an adapter has.
fn cooperative_matrices(adapter: &wgpu::Adapter) -> Vec<CooperativeMatrix> {
    let name = |scalar| match scalar {
        wgpu::CooperativeScalarType::F16 => "f16",
        wgpu::CooperativeScalarType::F32 => "f32",
        wgpu::CooperativeScalarType::I32 => "i32",
        wgpu::CooperativeScalarType::U32 => "u32",
    };
    let all = adapter.cooperative_matrix_properties().into_iter();
    all.map(|shape| CooperativeMatrix {
        rows: shape.m_size,
        columns: shape.n_size,
        depth: shape.k_size,
        operands: name(shape.ab_type),
        results: name(shape.cr_type),
    })
    .collect()
}

impl Adapter {
    fn new(adapter: wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        let description = DeviceDescription {
            name: info.name.clone(),
            backend: format!("{}", info.backend).to_lowercase(),
            driver,
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => "discrete",
                wgpu::DeviceType::IntegratedGpu => "integrated",
                wgpu::DeviceType::VirtualGpu => "virtual",
                wgpu::DeviceType::Cpu => "software",
                wgpu::DeviceType::Other => "other",
            }
            .to_owned(),
        };
        let facts = AdapterFacts {
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            subgroup_sizes: (info.subgroup_min_size, info.subgroup_max_size),
            fixed_subgroup: fixed_subgroup(&info),
            cooperative_matrices: cooperative_matrices(&adapter),
            features: wanted(&adapter).map(|(_, name)| name).collect(),
        };
        Self { adapter, description, facts }
    }

    /// PCI numbers of its vendor and of the device.
    pub(super) fn numbers(&self) -> [u32; 2] {
        let info = self.adapter.get_info();
        [info.vendor, info.device]
    }

    /// Whether it runs on the processor.
    pub fn is_software(&self) -> bool {
        self.description.kind == "software"
    }
}

fn instance(backends: wgpu::Backends, noop: Option<wgpu::Limits>) -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    // Validation layers are a developer's tool: wgpu's own checks find what a kernel can do wrong.
    descriptor.flags = wgpu::InstanceFlags::empty();
    if let Some(limits) = noop {
        descriptor.backend_options.noop.enable = true;
        descriptor.backend_options.noop.limits = Some(limits);
        descriptor.backend_options.noop.features = Some(wgpu::Features::empty());
    }
    wgpu::Instance::new(descriptor)
}

/// Every adapter, real GPUs first.
pub fn adapters() -> Vec<Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let found = pollster::block_on(instance(backends, None).enumerate_adapters(backends));
    let mut adapters: Vec<Adapter> = found
        .into_iter()
        .filter(|adapter| {
            adapter
                .get_downlevel_capabilities()
                .flags
                .contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        })
        .map(Adapter::new)
        .collect();
    adapters.sort_by_key(Adapter::is_software);
    adapters
}

/// wgpu's adapter that does nothing, with WebGPU's default limits but for the storage buffers of a
/// kernel and the bytes of a binding: for tests without a GPU.
pub(super) fn noop_adapter(storage_buffers: u32, binding_bytes: u64) -> Result<Adapter> {
    let backends = wgpu::Backends::NOOP;
    let limits = wgpu::Limits {
        max_storage_buffers_per_shader_stage: storage_buffers,
        max_storage_buffer_binding_size: binding_bytes,
        max_buffer_size: binding_bytes.max(wgpu::Limits::default().max_buffer_size),
        ..wgpu::Limits::default()
    };
    pollster::block_on(instance(backends, Some(limits)).enumerate_adapters(backends))
        .into_iter()
        .next()
        .map(Adapter::new)
        .ok_or_else(|| Error::device("wgpu's noop backend is not there"))
}

/// A device and its queue, with what went wrong on it behind our back.
#[derive(Debug)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    pub(super) description: DeviceDescription,
    /// The file of its compiled pipelines; none where the driver does not hand them out.
    pub(super) pipeline_cache_name: Option<String>,
    /// What is computed wrong on purpose.
    pub(super) planted_fault: Option<PlantedFault>,
    /// Pipelines that are kept for later plans, where they are.
    pub(super) pipelines: KeptPipelines,
    pub(super) trouble: Arc<Mutex<Option<Trouble>>>,
    /// After how many steps it is lost on purpose.
    pub(super) planted_loss: Option<PlantedLoss>,
    /// Steps run so far, where it will be.
    pub(super) steps: AtomicU64,
    /// Bytes of a plan's buffers that it is to have no room beyond.
    pub(super) memory_limit: Option<u64>,
}

impl Gpu {
    /// Opens an adapter with all that it allows.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn open(adapter: &Adapter, options: GpuOptions) -> Result<Self> {
        let GpuOptions { planted_fault, planted_loss, memory_limit, .. } = options;
        let limits = adapter.adapter.limits();
        let features = wanted(&adapter.adapter)
            .fold(wgpu::Features::empty(), |all, (feature, _)| all | feature);
        let experimental_features =
            if features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
                // SAFETY: wgpu may have bugs in what only cooperative tiles use. Their fragments lie
                // within workgroup memory of a size known at build time, whatever the data, every
                // invocation takes part in every operation, and a tile is held to results in f64
                // before a job may use it.
                unsafe { wgpu::ExperimentalFeatures::enabled() }
            } else {
                wgpu::ExperimentalFeatures::disabled()
            };
        let name = &adapter.description.name;
        let (device, queue) =
            pollster::block_on(adapter.adapter.request_device(&wgpu::DeviceDescriptor {
                label: Some("wgfit"),
                required_features: features,
                required_limits: limits.clone(),
                experimental_features,
                memory_hints: wgpu::MemoryHints::Performance,
                ..wgpu::DeviceDescriptor::default()
            }))
            .map_err(|error| Error::device(format!("{name} cannot be opened: {error}")))?;
        let trouble = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&trouble);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            Trouble { text: error.to_string(), is_loss: false }.note(&seen);
        }));
        let lost = Arc::clone(&trouble);
        // Dropping the device counts as losing it too, and then there is nobody to read of it.
        device.set_device_lost_callback(move |_, why| Trouble::loss(&why).note(&lost));
        let pipeline_cache_name = features
            .contains(wgpu::Features::PIPELINE_CACHE)
            .then(|| wgpu::util::pipeline_cache_key(&adapter.adapter.get_info()))
            .flatten()
            // The right pipelines and those with a fault are kept apart.
            .map(|name| match planted_fault {
                Some(fault) => format!("{name}-fault-{}", fault.to_string().replace('/', "-")),
                None => name,
            });
        let description = adapter.description.clone();
        Ok(Self {
            device,
            queue,
            limits,
            description,
            pipeline_cache_name,
            planted_fault,
            pipelines: KeptPipelines::default(),
            trouble,
            planted_loss,
            steps: AtomicU64::new(0),
            memory_limit,
        })
    }

    /// A storage buffer of so many words, of zeros.
    pub(super) fn storage_buffer(&self, name: &str, words: u64) -> Result<wgpu::Buffer> {
        self.allocated(&format!("the buffer {name}"), || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(name),
                size: (words * 4).max(16).next_multiple_of(16),
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_DST
                    | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        })
    }

    /// A buffer of uniforms that never change. `bytes` is a multiple of 4 long.
    pub(super) fn uniform_buffer(&self, name: &str, bytes: &[u8]) -> Result<wgpu::Buffer> {
        self.allocated(name, || {
            let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(name),
                size: bytes.len() as u64,
                usage: wgpu::BufferUsages::UNIFORM,
                mapped_at_creation: true,
            });
            if let Ok(mut mapped) = buffer.get_mapped_range_mut(..) {
                mapped.slice(..).copy_from_slice(bytes);
            }
            buffer.unmap();
            buffer
        })
    }

    /// Makes a buffer.
    pub(super) fn allocated(
        &self,
        what: &str,
        make: impl FnOnce() -> wgpu::Buffer,
    ) -> Result<wgpu::Buffer> {
        if strikes_device(Operation::DeviceBuffer, what) {
            return Err(self.has_no_room(what));
        }
        self.scoped(what, make)
    }

    fn has_no_room(&self, what: &str) -> Error {
        let name = &self.description.name;
        Error::out_of_memory(format!("{name} has not enough memory for {what}"))
            .with_help("use a smaller batch, fewer members, or --device cpu")
    }

    /// Runs `make` and turns what wgpu reports of it into an error.
    pub(super) fn scoped<T>(&self, what: &str, make: impl FnOnce() -> T) -> Result<T> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = make();
        let internal = pollster::block_on(internal.pop());
        let validation = pollster::block_on(validation.pop());
        let memory = pollster::block_on(memory.pop());
        self.check()?;
        let name = &self.description.name;
        // What a lost device refuses is as it should be.
        if (memory.is_some() || validation.is_some() || internal.is_some()) && self.is_lost() {
            return Err(self.failure(format!("{what} was refused")));
        }
        if memory.is_some() {
            return Err(self.has_no_room(what));
        }
        if let Some(error) = validation {
            return Err(Error::internal(format!("{what} on {name}: {error}")));
        }
        if let Some(error) = internal {
            return Err(Error::device(format!("{name} failed on {what}: {error}"))
                .with_help("update the driver, or use --device cpu"));
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subgroups_are_of_one_size_on_apples_gpus_and_where_the_driver_says_so() {
        let size = |backend, name: &str, (small, large)| {
            let mut info = wgpu::AdapterInfo::new(wgpu::DeviceType::IntegratedGpu, backend);
            info.name = name.to_owned();
            (info.subgroup_min_size, info.subgroup_max_size) = (small, large);
            fixed_subgroup(&info)
        };
        // What wgpu says of every Metal device.
        assert_eq!(size(wgpu::Backend::Metal, "Apple M2 Pro", (4, 64)), Some(32));
        assert_eq!(size(wgpu::Backend::Metal, "AMD Radeon Pro 5500M", (4, 64)), None);
        assert_eq!(size(wgpu::Backend::Vulkan, "Apple M2", (4, 64)), None);
        assert_eq!(size(wgpu::Backend::Vulkan, "llvmpipe", (8, 8)), Some(8));
        assert_eq!(size(wgpu::Backend::Vulkan, "Intel Arc", (8, 32)), None);
    }
}
