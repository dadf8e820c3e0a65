//! `wgfit verify`: is the device right? Every kernel that it may run, in every variant, against the
//! f64 reference.

use std::io::IsTerminal;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::backend::gpu::{GpuOptions, Subject, tile};
use crate::backend::{self, DeviceOptions, Listed};
use crate::error::{Error, Result};
use crate::program::Precision;
use crate::verify::{Extent, Wanted, verify};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    device: super::Device,
    /// Only this kernel, with this tile where it is a matrix product; may be given several times
    #[arg(long = "kernel", value_name = "KERNEL[/TILE]")]
    kernels: Vec<String>,
    /// Also the tiles that a software adapter takes only after measuring them
    #[arg(long)]
    all_tiles: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let wanted = wanted(&arguments.kernels)?;
    let extent = Extent { wanted, all_tiles: arguments.all_tiles };
    let devices = backend::list()?;
    let device = &devices[choose(&devices, &arguments.device.device)?];
    let gpu = arguments.device.gpu(GpuOptions::default());
    let threads = arguments.device.threads.map_or(0, usize::from);
    let options = DeviceOptions { threads, precision: Precision::F32, gpu };

    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("verifying {wide_msg} {pos}/{len}");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let findings = verify(device, options, &extent, &mut |begun, all, name| match &bar {
        Some(bar) => {
            bar.set_length(all as u64);
            bar.set_position(begun as u64 + 1);
            bar.set_message(name.to_owned());
        }
        None => crate::report::say(&format!("verifying {}/{all}  {name}", begun + 1)),
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let findings = findings?;
    if arguments.json {
        super::print_json(&findings.to_json())?;
    } else {
        super::print(&findings.to_text())?;
    }
    Ok(if findings.are_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What such names mean; everything where there are none.
fn wanted(names: &[String]) -> Result<Vec<Wanted>> {
    if names.is_empty() {
        return Ok(Wanted::all());
    }
    let unknown = |name: &str, what: &str, known: Vec<String>| {
        Error::usage(format!("--kernel {name}: there is no such {what}"))
            .with_help(format!("one of {}", known.join(", ")))
    };
    names
        .iter()
        .map(|name| {
            let (kernel, tile) = match name.split_once('/') {
                Some((kernel, tile)) => (kernel, Some(tile.to_owned())),
                None => (name.as_str(), None),
            };
            let subject = Subject::find(kernel).ok_or_else(|| {
                let known = Subject::all().map(|subject| subject.name().to_owned());
                unknown(name, "kernel", known.collect())
            })?;
            let tiles = || tile::all().iter().map(ToString::to_string).collect::<Vec<_>>();
            match &tile {
                Some(tile) if !tiles().contains(tile) => Err(unknown(name, "tile", tiles())),
                _ => Ok(Wanted { subject, tile }),
            }
        })
        .collect()
}

/// The index of the device that is meant: `auto` is the first real GPU, else the CPU; `gpu` a software
/// adapter where there is no real one.
fn choose(devices: &[Listed], wanted: &str) -> Result<usize> {
    let is_real =
        |device: &Listed| device.adapter.as_ref().is_some_and(|adapter| !adapter.is_software());
    let real = devices.iter().position(is_real);
    match wanted {
        "auto" => Ok(real.unwrap_or(0)),
        "gpu" => real.or((devices.len() > 1).then_some(1)).ok_or_else(|| {
            Error::usage("--device gpu: there is no Vulkan, Metal or DX12 adapter")
                .with_help("install the GPU's driver, or use --device cpu")
        }),
        _ => backend::find(devices, wanted, "auto, cpu, gpu"),
    }
}
