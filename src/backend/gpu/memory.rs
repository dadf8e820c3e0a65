//! The memory of a plan on a device.

use super::device::Gpu;
use crate::backend::Counters;
use crate::error::{Error, Result, size};
use crate::program::{BufferSpec, Plan};

/// Makes the buffers of a plan. Those of parts are those of their wholes.
///
/// # Errors
/// When the device has no room for one of them: which, and how much is asked for.
pub(super) fn buffers(
    gpu: &Gpu,
    plan: &Plan,
    counters: &mut Counters,
) -> Result<Vec<wgpu::Buffer>> {
    let mut buffers: Vec<wgpu::Buffer> = Vec::with_capacity(plan.buffers.len());
    let mut held = 0;
    for spec in &plan.buffers {
        if let Some(memory) = spec.part_of.and_then(|(of, _)| buffers.get(of.0)) {
            // wgpu's buffers are handles.
            buffers.push(wgpu::Buffer::clone(memory));
            continue;
        }
        counters.buffers += 1;
        held += bytes(spec);
        let made = match gpu.memory_limit {
            Some(limit) if held > limit => Err(Error::out_of_memory("")),
            _ => gpu.storage_buffer(&spec.name, spec.words),
        };
        buffers.push(made.map_err(|error| match error {
            Error::OutOfMemory { .. } => refusal(gpu, plan, spec),
            other => other,
        })?);
    }
    Ok(buffers)
}

fn bytes(spec: &BufferSpec) -> u64 {
    spec.words * 4
}

/// Tells what did not fit, beside what else there is.
fn refusal(gpu: &Gpu, plan: &Plan, spec: &BufferSpec) -> Error {
    let whole = || plan.buffers.iter().filter(|spec| spec.part_of.is_none());
    let together = whole().map(bytes).sum();
    let mut largest: Vec<&BufferSpec> = whole().collect();
    largest.sort_by_key(|spec| std::cmp::Reverse(bytes(spec)));
    let largest: Vec<String> =
        largest.iter().take(3).map(|spec| format!("{} {}", spec.name, size(bytes(spec)))).collect();
    let problem = format!(
        "{} has not enough memory for the buffer {} of {}: all {} together are {}, the largest {}; one \
         may have {}",
        gpu.description.name,
        spec.name,
        size(bytes(spec)),
        whole().count(),
        size(together),
        largest.join(", "),
        size(gpu.limits.max_buffer_size.min(gpu.limits.max_storage_buffer_binding_size)),
    );
    Error::out_of_memory(problem).with_help(
        "end other programs that use the device; use a smaller training.batch_size, fewer members or \
         units, or --device cpu",
    )
}
