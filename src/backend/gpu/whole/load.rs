//! The pipeline and the bind groups of whole steps.

use std::sync::Arc;

use super::trial::faster_seconds;
use super::{Allowed, UNIFORM, WholeSource, compose};
use crate::backend::Counters;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::pipelines::{Dispatch, pipeline_of};
use crate::error::{Error, Result};
use crate::program::{Plan, Program};

/// Steps of a dispatch, most first.
const STEPS: [u32; 3] = [64, 8, 1];

/// Longest dispatch, far below what drivers take for a hang.
const LONGEST_SECONDS: f64 = 0.05;

/// The whole steps of a program, ready to be dispatched.
#[derive(Debug)]
pub(in crate::backend::gpu) struct Whole {
    /// With the steps that each takes; most first, one last.
    dispatches: Vec<(usize, Dispatch)>,
    /// Most steps of a dispatch, by the time that one takes.
    most: usize,
}

impl Whole {
    /// Builds the whole steps of a program; none where it has none.
    pub fn build(
        gpu: &Gpu,
        plan: &Plan,
        program: &Program,
        buffers: &[wgpu::Buffer],
        checked: bool,
        counters: &mut Counters,
    ) -> Result<Option<Self>> {
        let limits = &gpu.limits;
        let allowed = Allowed {
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            invocations: limits
                .max_compute_invocations_per_workgroup
                .min(limits.max_compute_workgroup_size_x),
            uniform_bytes: limits.max_uniform_buffer_binding_size,
        };
        let Some(source) = compose(plan, program, allowed) else { return Ok(None) };
        let label = format!("whole steps of {}", program.name);
        let built = pipeline_of(gpu, &label, &source.text, checked)?;
        counters.pipelines += 1;
        let mut dispatches = Vec::with_capacity(STEPS.len());
        for steps in STEPS {
            let uniform = uniform(gpu, program, steps)?;
            counters.buffers += 1;
            let bind_group = bind_group(gpu, &label, &source, &built, buffers, &uniform)?;
            counters.bind_groups += 1;
            let dispatch = Dispatch {
                pipeline: Arc::clone(&built.pipeline),
                bind_group,
                workgroups: [1, 1, plan.members as u32],
                tile: None,
            };
            dispatches.push((steps as usize, dispatch));
        }
        Ok(Some(Self { dispatches, most: usize::MAX }))
    }

    /// Itself where it is faster than the program's calls one by one.
    pub fn if_faster(
        self,
        gpu: &Gpu,
        plan: &Plan,
        program: &Program,
        buffers: &[wgpu::Buffer],
        calls: &[Dispatch],
        counters: &mut Counters,
    ) -> Result<Option<Self>> {
        let seconds = faster_seconds(gpu, plan, program, buffers, calls, &self, counters)?;
        Ok(seconds.map(|seconds| {
            let most = (LONGEST_SECONDS / seconds.max(1e-9)) as usize;
            Self { most: most.max(1), ..self }
        }))
    }

    /// Most steps of a dispatch.
    pub fn most_steps(&self) -> usize {
        self.most
    }

    /// The dispatches that together are so many steps.
    pub fn dispatches(&self, steps: usize) -> impl Iterator<Item = &Dispatch> {
        let mut left = steps;
        let fitting = self.dispatches.iter().filter(|(taken, _)| *taken <= self.most);
        fitting.flat_map(move |(taken, dispatch)| {
            let times = left / taken;
            left %= taken;
            std::iter::repeat_n(dispatch, times)
        })
    }
}

/// The number of steps, and the uniforms of all calls.
fn uniform(gpu: &Gpu, program: &Program, steps: u32) -> Result<wgpu::Buffer> {
    let mut bytes: Vec<u8> = bytemuck::cast_slice(&[steps, 0, 0, 0]).to_vec();
    for call in &program.calls {
        bytes.extend_from_slice(call.parameters.bytes());
        bytes.resize(bytes.len().next_multiple_of(16), 0);
    }
    gpu.scoped("the uniform of whole steps", || {
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("whole steps"),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        if let Ok(mut mapped) = buffer.get_mapped_range_mut(..) {
            mapped.slice(..).copy_from_slice(&bytes);
        }
        buffer.unmap();
        buffer
    })
}

fn bind_group(
    gpu: &Gpu,
    label: &str,
    source: &WholeSource,
    built: &crate::backend::gpu::pipelines::Built,
    buffers: &[wgpu::Buffer],
    uniform: &wgpu::Buffer,
) -> Result<wgpu::BindGroup> {
    let mut entries = Vec::with_capacity(built.bindings.len());
    for binding in &built.bindings {
        let buffer = if binding.name == UNIFORM {
            uniform
        } else {
            let id = source.buffers.get(&binding.name).ok_or_else(|| {
                Error::internal(format!("{label}: nothing is bound to {:?}", binding.name))
            })?;
            &buffers[id.0]
        };
        let resource = buffer.as_entire_binding();
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
