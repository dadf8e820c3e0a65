//! Which device: every one there is, and the one that the user means.

use super::cpu::CpuBackend;
use super::gpu::{Adapter, AdapterFacts, GpuBackend, GpuOptions, adapters};
use super::{Backend, DeviceDescription};
use crate::error::{Error, Result};
use crate::program::Precision;

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
    /// What it is to train in: where it may be one of several, one that can is taken.
    pub precision: Precision,
    /// Of a GPU.
    pub gpu: GpuOptions,
}

/// A device, opened, and why it was taken.
pub struct Chosen {
    /// The backend.
    pub backend: Box<dyn Backend + Send>,
    /// One line for the log.
    pub why: String,
    /// What the user is to be warned of.
    pub warnings: Vec<String>,
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

impl Listed {
    /// Opens it.
    ///
    /// # Errors
    /// When the driver refuses, or the CPU backend cannot start its threads.
    pub fn open(&self, options: DeviceOptions) -> Result<Box<dyn Backend + Send>> {
        Ok(match &self.adapter {
            None => Box::new(CpuBackend::with_threads(options.threads)?),
            Some(adapter) => {
                let gpu = GpuOptions { stand_in_threads: options.threads, ..options.gpu };
                Box::new(GpuBackend::new(adapter, gpu)?)
            }
        })
    }
}

fn open(device: &Listed, reason: &str, options: DeviceOptions) -> Result<Chosen> {
    let DeviceDescription { name, backend, kind, .. } = &device.description;
    let why = match &device.adapter {
        None => format!("cpu: {name}{reason}"),
        Some(_) => format!("{name} ({backend}, {kind}){reason}"),
    };
    let backend = device.open(options)?;
    let warnings = backend.warnings().to_vec();
    Ok(Chosen { backend, why, warnings })
}

/// A device that may be the quickest for a job, opened.
pub struct Candidate {
    /// What it is.
    pub description: DeviceDescription,
    /// The backend.
    pub backend: Box<dyn Backend + Send>,
    /// Threads of the CPU backend; 0 for a GPU.
    pub threads: usize,
}

/// What a word for a device comes to before the job is known.
pub enum Found {
    /// One device.
    One(Chosen),
    /// Several, of which a job has to be tried on each.
    Several(Vec<Candidate>),
}

/// The devices that `auto` chooses among: the CPU and every real GPU, those that can train in the
/// precision.
fn of_auto(devices: &[Listed], precision: Precision) -> Vec<&Listed> {
    let fits = |device: &&Listed| match &device.adapter {
        None => precision != Precision::F16,
        Some(adapter) => {
            let halves = precision != Precision::F16 || adapter.facts.has_halves();
            !adapter.is_software() && halves
        }
    };
    devices.iter().filter(fits).collect()
}

/// Opens devices to try a job on; one that does not open is left out, unless it is the last.
///
/// # Errors
/// When none opens.
pub fn open_candidates(devices: &[&Listed], options: DeviceOptions) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    let mut refusal = Error::usage("there is no device to choose among");
    for device in devices {
        let opened = match &device.adapter {
            Some(_) => device.open(options).map(|backend| (backend, 0)),
            None => CpuBackend::with_threads(options.threads).map(|cpu| {
                let threads = cpu.threads();
                (Box::new(cpu) as Box<dyn Backend + Send>, threads)
            }),
        };
        let description = device.description.clone();
        match opened {
            Ok((backend, threads)) => {
                candidates.push(Candidate { description, backend, threads });
            }
            Err(error) => refusal = error,
        }
    }
    if candidates.is_empty() { Err(refusal) } else { Ok(candidates) }
}

/// Finds the device that `wanted` means, as [`choose`] does, or several for `auto` where a GPU
/// tunes: to measure is then asked for.
///
/// # Errors
/// Those of [`choose`].
pub fn look_for(wanted: &str, options: DeviceOptions) -> Result<Found> {
    if wanted == "auto" && options.gpu.tunes {
        let devices = list()?;
        let several = of_auto(&devices, options.precision);
        if several.len() > 1 {
            return Ok(Found::Several(open_candidates(&several, options)?));
        }
    }
    choose(wanted, options).map(Found::One)
}

/// Does some work while [`look_for`] finds and opens devices.
pub fn look_for_during<T>(
    wanted: &str,
    options: DeviceOptions,
    work: impl FnOnce() -> T,
) -> (Result<Found>, T) {
    beside(|| look_for(wanted, options), work)
}

/// Does two things at once.
fn beside<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let doing = scope.spawn(one);
        let done = other();
        (doing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), done)
    })
}

/// Does some work while [`choose`] finds and opens the device: loading a driver takes tens of
/// milliseconds, a large file of data as well.
pub fn choose_during<T>(
    wanted: &str,
    options: DeviceOptions,
    work: impl FnOnce() -> T,
) -> (Result<Chosen>, T) {
    beside(|| choose(wanted, options), work)
}

/// The index of the device that `wanted` means: `cpu`, or an index or a part of a name out of [`list`].
/// `words` are what else may be asked for.
///
/// # Errors
/// When none fits.
pub fn find(devices: &[Listed], wanted: &str, words: &str) -> Result<usize> {
    let lower = wanted.to_lowercase();
    let cpu = devices.iter().position(|d| wanted == "cpu" && d.adapter.is_none());
    let by_index = wanted.parse::<usize>().ok().filter(|index| *index < devices.len());
    let by_name =
        || devices.iter().position(|d| d.description.name.to_lowercase().contains(&lower));
    cpu.or(by_index).or_else(by_name).ok_or_else(|| {
        let names = devices
            .iter()
            .enumerate()
            .map(|(index, device)| format!("{index} ({})", device.description.name))
            .collect::<Vec<_>>();
        Error::usage(format!("--device {wanted}: there is no such device"))
            .with_help(format!("{words}, or out of `wgfit devices`: {}", names.join(", ")))
    })
}

/// Opens the device that `wanted` means: `auto`, `cpu`, `gpu`, an index or a part of a name out of
/// [`list`].
///
/// # Errors
/// When nothing fits, or the device cannot be opened, or it was found to compute wrong.
pub fn choose(wanted: &str, options: DeviceOptions) -> Result<Chosen> {
    let chosen = choose_any(wanted, options)?;
    let wrong = chosen.backend.wrong_throughout();
    if wrong.is_empty() {
        return Ok(chosen);
    }
    let name = &chosen.backend.device().name;
    let problem = format!("{name} computes {} wrong", wrong.join(", "));
    // Whoever left the choice to us gets what is right.
    if !["auto", "gpu"].contains(&wanted) || options.precision == Precision::F16 {
        return Err(Error::device(problem).with_help(
            "`wgfit verify` tells more, and verifies it again after an update of the driver; or \
             use --device cpu",
        ));
    }
    let warning = format!("{problem}: the CPU trains in its place; more by `wgfit verify`");
    let cpu = choose_any("cpu", options)?;
    let why = format!("{}; {wanted}: {name} is not right", cpu.why);
    Ok(Chosen { why, warnings: vec![warning], ..cpu })
}

/// The device that `wanted` means, right or wrong.
fn choose_any(wanted: &str, options: DeviceOptions) -> Result<Chosen> {
    let open = |device: &Listed, reason: &str| open(device, reason, options);
    if wanted == "cpu" {
        let backend = CpuBackend::with_threads(options.threads)?;
        let why = format!("cpu: {}", backend.device().name);
        return Ok(Chosen { backend: Box::new(backend), why, warnings: Vec::new() });
    }
    let devices = list()?;
    let is_real =
        |device: &&Listed| device.adapter.as_ref().is_some_and(|adapter| !adapter.is_software());
    let halves = options.precision == Precision::F16;
    let fits = |device: &&Listed| {
        let facts = device.adapter.as_ref().map(|adapter| &adapter.facts);
        !halves || facts.is_some_and(AdapterFacts::has_halves)
    };
    let real = || devices.iter().filter(fits).find(is_real);
    match wanted {
        "auto" => match real() {
            Some(gpu) if halves => open(gpu, "; auto: the first real GPU with 16-bit floats"),
            Some(gpu) => open(gpu, "; auto: the first real GPU"),
            None if halves => {
                Err(Error::usage("--device auto: there is no GPU for training.precision f16")
                    .with_help(
                        "leave training.precision at \"f32\", or name an adapter, also a software \
                         one, that has f16 among its features in `wgfit devices`",
                    ))
            }
            None => open(&devices[0], "; auto: there is no GPU"),
        },
        // One that does not fit is refused for what it lacks.
        "gpu" => match real().or_else(|| devices.iter().skip(1).find(fits)).or(devices.get(1)) {
            Some(gpu) => open(gpu, ""),
            None => Err(Error::usage("--device gpu: there is no Vulkan, Metal or DX12 adapter")
                .with_help(
                    "install the GPU's driver; a software adapter comes with \
                     `apt-get install mesa-vulkan-drivers` on Debian and Ubuntu; or use --device cpu",
                )),
        },
        _ => {
            let found = find(&devices, wanted, "auto, cpu, gpu")?;
            open(&devices[found], "")
        }
    }
}
