//! `wgfit compare`: the same training on several devices, beside an f64 run.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::backend::gpu::{GpuOptions, PlantedFault};
use crate::backend::{self, Backend, DeviceOptions};
use crate::compare::{Effort, Target, Watch, compare, document, to_html};
use crate::config::Config;
use crate::data;
use crate::disk::write_atomically;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The config: JSON, `//` comments allowed
    config: PathBuf,
    /// Config keys to override, such as training.batch_size=256
    #[arg(value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// The devices, with commas between: cpu, gpu, or indices or parts of names out of `wgfit devices`
    #[arg(long, value_name = "D,D", value_delimiter = ',', default_value = "cpu,gpu")]
    devices: Vec<String>,
    /// Training steps to compare
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Seconds that the steps may take, about; those in f64 are slow
    #[arg(long, value_name = "S", default_value_t = 20.0)]
    seconds: f64,
    /// Threads of the CPU [default: $RAYON_NUM_THREADS, or the processors that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Cut matrix products up as is usual for the kind of adapter, without measuring at the first use
    #[arg(long)]
    no_tune: bool,
    /// Seconds that each search for a break-even may take, about; 0: look for none
    #[arg(long, value_name = "S", default_value_t = 6.0)]
    break_even: f64,
    /// The page [default: compare-{config name}.html, in the current folder]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Compute something wrong on a GPU on purpose, to see that it is found
    #[arg(long, value_name = "KERNEL[/TILE][/f16]", hide = true)]
    plant_fault: Option<PlantedFault>,
}

/// Shows the progress on stderr: a bar on a terminal, lines elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
    interrupt: Arc<AtomicBool>,
}

impl Shown {
    fn new(interrupt: Arc<AtomicBool>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { bar, interrupt }
    }
}

impl Watch for Shown {
    fn step(&self, step: u64, steps: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(steps);
            bar.set_position(step);
            bar.set_message("steps compared");
        }
    }

    fn phase(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => crate::report::say(&format!("{what} ...")),
        }
    }

    fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = Config::load(&arguments.config, &arguments.overrides)?;
    let mut settings = config.validate(arguments.config.parent().unwrap_or(Path::new("")))?;
    let dataset = data::load(&settings.data).map_err(|error| settings.locate(error))?;
    let dataset = super::first_fold(dataset, &mut settings)?;
    let task = settings.fit_task(dataset.preprocessing.task())?;
    let device = super::Device {
        device: String::new(),
        threads: arguments.threads,
        plant_fault: arguments.plant_fault,
        plant_loss: None,
    };
    let gpu = device.gpu(GpuOptions { tunes: !arguments.no_tune, ..GpuOptions::default() });
    // What is known to be wrong is not kept from view: it is what a comparison shows.
    let gpu = GpuOptions { heeds_verification: false, ..gpu };
    let options = DeviceOptions {
        threads: arguments.threads.map_or(0, usize::from),
        precision: settings.training.precision,
        gpu,
    };
    let mut chosen = Vec::new();
    for wanted in &arguments.devices {
        let one = backend::choose(wanted, options)?;
        crate::report::say(&format!("device  {}", one.why));
        chosen.push(one.backend);
    }
    let backends: Vec<&dyn Backend> = chosen.iter().map(|b| b.as_ref() as &dyn Backend).collect();
    let interrupt = Arc::new(AtomicBool::new(false));
    super::watch_for_interrupts(&interrupt)?;
    let name = arguments.config.file_stem().map_or("config".into(), |stem| stem.to_string_lossy());
    let target = Target { name: &name, settings: &settings, task: &task, dataset: &dataset };
    let effort = Effort {
        steps: arguments.steps,
        seconds: arguments.seconds,
        break_even_seconds: arguments.break_even,
    };
    let comparison = compare(target, &backends, effort, &Shown::new(Arc::clone(&interrupt)))?;
    let out = arguments.out.clone().unwrap_or_else(|| format!("compare-{name}.html").into());
    write_atomically(&out, to_html(&comparison)?.as_bytes())?;
    if arguments.json {
        super::print_json(&serde_json::json!(comparison))?;
    } else {
        super::print(&document(&comparison).to_text())?;
    }
    crate::report::say(&format!("page    {}", out.display()));
    if interrupt.load(Ordering::Relaxed) {
        return Ok(ExitCode::from(super::INTERRUPTED));
    }
    Ok(if comparison.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
