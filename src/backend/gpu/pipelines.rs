//! Pipelines and bind groups: built once, before step 1.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::device::Gpu;
use super::pipeline_cache::PipelineCache;
use super::reflect::{Binding, BindingKind, bindings};
use super::source::{compose_with, workgroups};
use super::tile::{Product, Tile, Tiles};
use crate::backend::Counters;
use crate::error::{Error, Result};
use crate::program::{Call, Plan};

/// A kernel call, ready to be dispatched.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub(super) pipeline: Arc<wgpu::ComputePipeline>,
    pub(super) bind_group: wgpu::BindGroup,
    pub(super) workgroups: [u32; 3],
    /// How its matrix product is cut up, where it is one.
    pub(super) tile: Option<Tile>,
    /// Multiplications and additions of its matrix product, where it is one.
    pub(super) products: u64,
    /// What its pipeline is made of; none of whole steps.
    pub(super) source: Option<Arc<Source>>,
}

/// What a pipeline is made of.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) label: String,
    pub(super) text: String,
}

/// One pipeline with what its source says of its bindings.
#[derive(Debug, Clone)]
pub(super) struct Built {
    pub(super) pipeline: Arc<wgpu::ComputePipeline>,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) bindings: Vec<Binding>,
}

/// Pipelines by their sources, and whether these are checked. A plan that is trained has each source
/// once; of many plans, most have the same.
#[derive(Debug, Default)]
pub(super) struct KeptPipelines(Mutex<Option<HashMap<(String, bool), Built>>>);

impl KeptPipelines {
    /// From now on pipelines are kept.
    pub(super) fn begin(&self) {
        if let Ok(mut kept) = self.0.lock() {
            kept.get_or_insert_default();
        }
    }

    fn get(&self, source: &str, checked: bool) -> Option<Built> {
        self.0.lock().ok()?.as_ref()?.get(&(source.to_owned(), checked)).cloned()
    }

    fn put(&self, source: &str, checked: bool, built: &Built) {
        if let Ok(mut kept) = self.0.lock()
            && let Some(kept) = kept.as_mut()
        {
            kept.insert((source.to_owned(), checked), built.clone());
        }
    }
}

/// Builds the dispatches of every program of a plan. Equal sources share a pipeline; those of
/// distinct sources are built side by side.
pub(super) fn build(
    gpu: &Gpu,
    plan: &Plan,
    buffers: &[wgpu::Buffer],
    tiles: &Tiles,
    checked: bool,
    counters: &mut Counters,
) -> Result<Vec<Vec<Dispatch>>> {
    let uniforms = Uniforms::new(gpu, plan, counters)?;
    let limit = gpu.limits.max_compute_workgroups_per_dimension;
    let mut sources: Vec<Arc<Source>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    // Which of the sources each call is made of, with the call's label.
    let mut of_calls = Vec::new();
    for call in plan.programs.iter().flat_map(|program| &program.calls) {
        let label = format!("{} of {}", call.kernel.name(), call.subject);
        let source = compose_with(call, tiles.of_call(call), gpu.planted_fault);
        let place = *places.entry(source).or_insert_with_key(|source| {
            sources.push(Arc::new(Source { label: label.clone(), text: source.clone() }));
            sources.len() - 1
        });
        of_calls.push((label, place));
    }
    let built = pipelines(gpu, &sources, checked)?;
    counters.pipelines += built.len() as u64;

    let mut at = 0;
    let mut programs = Vec::with_capacity(plan.programs.len());
    for program in &plan.programs {
        let mut dispatches = Vec::with_capacity(program.calls.len());
        for call in &program.calls {
            let (label, place) = &of_calls[at];
            let built = &built[*place];
            counters.bind_groups += 1;
            let product = Product::of(call);
            dispatches.push(Dispatch {
                pipeline: Arc::clone(&built.pipeline),
                bind_group: bind_group(gpu, label, plan, call, built, buffers, uniforms.slice(at))?,
                workgroups: workgroups(call, tiles.of_call(call), limit),
                tile: product.as_ref().map(|product| tiles.of(product)),
                products: product.as_ref().map_or(0, Product::multiplications),
                source: Some(Arc::clone(&sources[*place])),
            });
            at += 1;
        }
        programs.push(dispatches);
    }
    Ok(programs)
}

/// A pipeline of each source, given with its label. Of several errors the first in that order is
/// told, however the threads ran.
fn pipelines(gpu: &Gpu, sources: &[Arc<Source>], checked: bool) -> Result<Vec<Built>> {
    let kept = sources.iter().map(|source| gpu.pipelines.get(&source.text, checked));
    if let Some(kept) = kept.collect::<Option<Vec<Built>>>() {
        return Ok(kept);
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cache = PipelineCache::open(gpu);
    let cached = cache.as_ref().map(PipelineCache::get);
    let build = |source: &Arc<Source>| match gpu.pipelines.get(&source.text, checked) {
        Some(built) => Ok(built),
        None => {
            let built = pipeline(gpu, source, checked, cached, None)?;
            gpu.pipelines.put(&source.text, checked, &built);
            Ok(built)
        }
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.min(sources.len()).max(1))
        .thread_name(|i| format!("wgfit-pipeline-{i}"))
        .build();
    let built: Vec<Result<Built>> = match pool {
        Ok(pool) => pool.install(|| sources.par_iter().with_max_len(1).map(build).collect()),
        // A system that gives no more threads still gives pipelines.
        Err(_) => sources.iter().map(build).collect(),
    };
    let built = built.into_iter().collect::<Result<_>>()?;
    if let Some(cache) = &cache {
        cache.save();
    }
    Ok(built)
}

/// A pipeline of one source.
pub(super) fn pipeline_of(gpu: &Gpu, label: &str, source: &str, checked: bool) -> Result<Built> {
    let source = Source { label: label.to_owned(), text: source.to_owned() };
    let mut built = pipelines(gpu, &[Arc::new(source)], checked)?;
    built.pop().ok_or_else(|| Error::internal(format!("{label} was not built")))
}

/// A pipeline that runs pieces, whose place is in a second group of that layout.
pub(super) fn pipeline_in_pieces(
    gpu: &Gpu,
    source: &Source,
    checked: bool,
    layout: &wgpu::BindGroupLayout,
) -> Result<Arc<wgpu::ComputePipeline>> {
    let cache = PipelineCache::open(gpu);
    let cached = cache.as_ref().map(PipelineCache::get);
    let built = pipeline(gpu, source, checked, cached, Some(layout))?;
    if let Some(cache) = &cache {
        cache.save();
    }
    Ok(built.pipeline)
}

/// `second` is the layout of group 1, where there is one.
fn pipeline(
    gpu: &Gpu,
    source: &Source,
    checked: bool,
    cache: Option<&wgpu::PipelineCache>,
    second: Option<&wgpu::BindGroupLayout>,
) -> Result<Built> {
    let Source { label, text } = source;
    let (label, source) = (label.as_str(), text.as_str());
    let bindings = bindings(label, source)?;
    let entries: Vec<_> = bindings
        .iter()
        .map(|binding| wgpu::BindGroupLayoutEntry {
            binding: binding.number,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match binding.kind {
                    BindingKind::Uniform => wgpu::BufferBindingType::Uniform,
                    BindingKind::Read => wgpu::BufferBindingType::Storage { read_only: true },
                    BindingKind::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    let device = &gpu.device;
    gpu.scoped(label, || {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        };
        let module = if checked {
            device.create_shader_module(descriptor)
        } else {
            // SAFETY: every index of the kernels is guarded by the sizes in their uniforms, which
            // the plan makes together with the buffers; every loop ends by such a size. The tests
            // run the kernels in both modes.
            unsafe {
                device.create_shader_module_trusted(
                    descriptor,
                    wgpu::ShaderRuntimeChecks::unchecked(),
                )
            }
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(label),
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout), second][..1 + usize::from(second.is_some())],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache,
        });
        Built { pipeline: Arc::new(pipeline), layout, bindings }
    })
}

/// Binds by name: what the source declares, the call must give.
fn bind_group(
    gpu: &Gpu,
    label: &str,
    plan: &Plan,
    call: &Call,
    built: &Built,
    buffers: &[wgpu::Buffer],
    uniform: wgpu::BufferBinding<'_>,
) -> Result<wgpu::BindGroup> {
    let mut entries = Vec::with_capacity(built.bindings.len());
    for binding in &built.bindings {
        let resource = if binding.kind == BindingKind::Uniform {
            wgpu::BindingResource::Buffer(uniform.clone())
        } else {
            let id = call.buffer(&binding.name).ok_or_else(|| {
                Error::internal(format!("{label} binds nothing to {:?}", binding.name))
            })?;
            let (memory, first) = plan.memory(id);
            let part =
                plan.buffers[id.0].part_of.and(NonZeroU64::new(plan.buffers[id.0].words * 4));
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &buffers[memory.0],
                offset: first * plan.buffers[id.0].contents.element_bytes(),
                size: part,
            })
        };
        entries.push(wgpu::BindGroupEntry { binding: binding.number, resource });
    }
    gpu.scoped(label, || {
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &built.layout,
            entries: &entries,
        })
    })
}

/// The uniforms of all calls, in one buffer.
struct Uniforms {
    buffer: wgpu::Buffer,
    slices: Vec<(u64, u64)>,
}

impl Uniforms {
    fn new(gpu: &Gpu, plan: &Plan, counters: &mut Counters) -> Result<Self> {
        let align = gpu.limits.min_uniform_buffer_offset_alignment as usize;
        let mut bytes = Vec::new();
        let mut slices = Vec::new();
        for call in plan.programs.iter().flat_map(|program| &program.calls) {
            bytes.resize(bytes.len().next_multiple_of(align), 0);
            let uniform = call.parameters.bytes();
            slices.push((bytes.len() as u64, uniform.len() as u64));
            bytes.extend_from_slice(uniform);
        }
        bytes.resize(bytes.len().max(16).next_multiple_of(16), 0);
        counters.buffers += 1;
        Ok(Self { buffer: gpu.uniform_buffer("the uniforms", &bytes)?, slices })
    }

    fn slice(&self, call: usize) -> wgpu::BufferBinding<'_> {
        let (offset, length) = self.slices[call];
        wgpu::BufferBinding { buffer: &self.buffer, offset, size: NonZeroU64::new(length) }
    }
}
