//! `wgfit devices`: every adapter and the CPU, with what they allow.

use serde_json::json;

use crate::backend::{self, Clock, Listed};
use crate::error::{Result, size};
use crate::report::{duration, prefixed};
use crate::train::device_bench::{DeviceBench, bench};
use crate::train::rates::Overheads;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Measure each: copies, matrix products by tile, the time of a call, a submit and a readback
    #[arg(long)]
    bench: bool,
    /// Only this one: cpu, or an index or a part of a name out of the list
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let all = backend::list()?;
    let none_is_a_gpu = all.iter().all(|device| device.adapter.is_none());
    let indices = match &arguments.device {
        Some(wanted) => vec![backend::find(&all, wanted, "cpu")?],
        None => (0..all.len()).collect(),
    };
    let mut list = Vec::new();
    for index in indices {
        let device = &all[index];
        let mut entry = json!(device.description);
        entry["index"] = index.into();
        entry["facts"] = json!(device.adapter.as_ref().map(|adapter| &adapter.facts));
        let mut text = describe(index, device);
        if arguments.bench {
            crate::report::say(&format!("measuring {} ...", device.description.name));
            // One that fails says so, and the others are measured.
            let (measured, lines) = match bench(device) {
                Ok(measured) => (json!(measured), bench_lines(&measured)),
                Err(error) => (json!({ "error": error.to_string() }), format!("     {error}\n")),
            };
            entry["bench"] = measured;
            text.push_str(&lines);
        }
        if !arguments.json {
            super::print(&text)?;
        }
        list.push(entry);
    }
    if arguments.json {
        return super::print_json(&serde_json::Value::Array(list));
    }
    if none_is_a_gpu {
        crate::report::say(
            "no Vulkan, Metal or DX12 adapter was found: is the GPU's driver installed?",
        );
    }
    Ok(())
}

/// What was measured, under what the adapter says of itself.
fn bench_lines(measured: &DeviceBench) -> String {
    let Overheads { call_seconds, submit_seconds, readback_seconds } = measured.overheads;
    let clock = match measured.clock {
        Clock::Timestamps => "the device's timestamps",
        Clock::Host => "the host's clock",
    };
    let size = measured.product_size;
    let mut text = format!(
        "     measured: copies {}, a call {}",
        prefixed(measured.bytes_per_second, "B/s"),
        duration(call_seconds)
    );
    // The CPU has neither.
    if measured.products.iter().any(|product| product.tile.is_some()) {
        text.push_str(&format!(
            ", a submit {}, a readback {}",
            duration(submit_seconds),
            duration(readback_seconds)
        ));
    }
    text.push_str(&format!("\n     products of {size} x {size} x {size}, by {clock}:\n"));
    for product in &measured.products {
        let tile = product.tile.as_deref().unwrap_or("the gemm crate");
        let rate = prefixed(product.flops_per_second, "FLOP/s");
        text.push_str(&format!("       {tile:<24}{rate:>16}\n"));
    }
    text
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
            size(facts.max_buffer_bytes),
            facts.max_storage_buffers,
            size(facts.max_binding_bytes),
            size(u64::from(facts.workgroup_memory_bytes)),
            facts.max_invocations,
            if facts.features.is_empty() { "none".to_owned() } else { facts.features.join(", ") },
        ));
    }
    text
}
