//! `wgfit devices`: every adapter and the CPU, with what they allow.

use serde_json::json;

use crate::backend::{self, Listed};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let devices = backend::list()?;
    if arguments.json {
        let list = devices
            .iter()
            .enumerate()
            .map(|(index, device)| {
                let mut entry = json!(device.description);
                entry["index"] = index.into();
                entry["facts"] = json!(device.adapter.as_ref().map(|adapter| &adapter.facts));
                entry
            })
            .collect();
        return super::print_json(&serde_json::Value::Array(list));
    }
    for (index, device) in devices.iter().enumerate() {
        super::print(&describe(index, device))?;
    }
    if devices.iter().all(|device| device.adapter.is_none()) {
        eprintln!("no Vulkan, Metal or DX12 adapter was found: is the GPU's driver installed?");
    }
    Ok(())
}

fn describe(index: usize, device: &Listed) -> String {
    let what = &device.description;
    let mut text = format!("{index}  {}\n     {}, {}", what.name, what.backend, what.kind);
    if device.adapter.is_none() {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        text = format!("{index}  {}\n     the CPU backend, {threads} threads", what.name);
    }
    if !what.driver.is_empty() {
        text.push_str(&format!(", {}", what.driver));
    }
    text.push('\n');
    if let Some(adapter) = &device.adapter {
        let facts = &adapter.facts;
        let (small, large) = facts.subgroup_sizes;
        text.push_str(&format!(
            "     buffers to {}, {} a kernel, bindings to {}, {} workgroup memory, {} invocations, \
             subgroups of {small} to {large}\n     features: {}\n",
            bytes(facts.max_buffer_bytes),
            facts.max_storage_buffers,
            bytes(facts.max_binding_bytes),
            bytes(u64::from(facts.workgroup_memory_bytes)),
            facts.max_invocations,
            if facts.features.is_empty() { "none".to_owned() } else { facts.features.join(", ") },
        ));
    }
    text
}

/// `128 MiB`.
fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if value.fract() < 0.05 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}
