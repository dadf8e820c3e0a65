//! Which device: every one there is, and the one that the user means.

use super::cpu::CpuBackend;
use super::gpu::{Adapter, GpuBackend, GpuOptions, adapters};
use super::{Backend, DeviceDescription};
use crate::error::{Error, Result};

/// A device that can train, in the order of `wgfit devices`.
#[derive(Debug)]
pub struct Listed {
    /// What it is.
    pub description: DeviceDescription,
    /// The adapter; none for the CPU backend.
    pub adapter: Option<Adapter>,
}

/// How a device is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeviceOptions {
    /// Threads of the CPU backend; 0 stands for those of [`CpuBackend::new`].
    pub threads: usize,
    /// Of a GPU.
    pub gpu: GpuOptions,
}

/// A device, opened, and why it was taken.
pub struct Chosen {
    /// The backend.
    pub backend: Box<dyn Backend + Send>,
    /// One line for the log.
    pub why: String,
}

/// Every device: the CPU backend, real GPUs, software adapters.
///
/// # Errors
/// When the CPU backend cannot start its threads.
pub fn list() -> Result<Vec<Listed>> {
    let mut devices = vec![Listed { description: CpuBackend::description(), adapter: None }];
    devices.extend(adapters().into_iter().map(|adapter| Listed {
        description: adapter.description.clone(),
        adapter: Some(adapter),
    }));
    Ok(devices)
}

fn open(device: &Listed, reason: &str, options: DeviceOptions) -> Result<Chosen> {
    let DeviceDescription { name, backend, kind, .. } = &device.description;
    let why = match &device.adapter {
        None => format!("cpu: {name}{reason}"),
        Some(_) => format!("{name} ({backend}, {kind}){reason}"),
    };
    let backend: Box<dyn Backend + Send> = match &device.adapter {
        None => Box::new(CpuBackend::with_threads(options.threads)?),
        Some(adapter) => Box::new(GpuBackend::new(adapter, options.gpu)?),
    };
    Ok(Chosen { backend, why })
}

/// Does some work while [`choose`] finds and opens the device: loading a driver takes tens of
/// milliseconds, a large file of data as well.
pub fn choose_during<T>(
    wanted: &str,
    options: DeviceOptions,
    work: impl FnOnce() -> T,
) -> (Result<Chosen>, T) {
    std::thread::scope(|scope| {
        let choosing = scope.spawn(|| choose(wanted, options));
        let done = work();
        let chosen = choosing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (chosen, done)
    })
}

/// Opens the device that `wanted` means: `auto`, `cpu`, `gpu`, an index or a part of a name out of
/// [`list`].
///
/// # Errors
/// When nothing fits, or the device cannot be opened.
pub fn choose(wanted: &str, options: DeviceOptions) -> Result<Chosen> {
    let open = |device: &Listed, reason: &str| open(device, reason, options);
    if wanted == "cpu" {
        let backend = CpuBackend::with_threads(options.threads)?;
        let why = format!("cpu: {}", backend.device().name);
        return Ok(Chosen { backend: Box::new(backend), why });
    }
    let devices = list()?;
    let is_real =
        |device: &&Listed| device.adapter.as_ref().is_some_and(|adapter| !adapter.is_software());
    match wanted {
        "auto" => match devices.iter().find(is_real) {
            Some(gpu) => open(gpu, "; auto: the first real GPU"),
            None => open(&devices[0], "; auto: there is no GPU"),
        },
        "gpu" => match devices.iter().find(is_real).or_else(|| devices.get(1)) {
            Some(gpu) => open(gpu, ""),
            None => Err(Error::usage("--device gpu: there is no Vulkan, Metal or DX12 adapter")
                .with_help(
                    "install the GPU's driver; a software adapter comes with \
                     `apt-get install mesa-vulkan-drivers` on Debian and Ubuntu; or use --device cpu",
                )),
        },
        _ => {
            let lower = wanted.to_lowercase();
            let by_index = wanted.parse::<usize>().ok().and_then(|index| devices.get(index));
            let by_name =
                || devices.iter().find(|d| d.description.name.to_lowercase().contains(&lower));
            match by_index.or_else(by_name) {
                Some(device) => open(device, ""),
                None => Err(Error::usage(format!("--device {wanted}: there is no such device"))
                    .with_help(format!(
                        "auto, cpu, gpu, or out of `wgfit devices`: {}",
                        devices
                            .iter()
                            .enumerate()
                            .map(|(index, device)| format!("{index} ({})", device.description.name))
                            .collect::<Vec<_>>()
                            .join(", ")
                    ))),
            }
        }
    }
}
