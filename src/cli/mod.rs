//! The commands: one file each. Results go to stdout, progress and log lines to stderr.

mod compare;
mod devices;
mod evaluate;
mod export;
mod inspect;
mod list;
mod lr_find;
mod new;
mod predict;
mod recorder;
mod report;
mod resume;
mod schema;
mod sweep;
mod train;
mod verify;
mod way_out;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::{Parser, Subcommand};

use crate::backend::gpu::{GpuOptions, PlantedFault, PlantedLoss};
use crate::backend::{self, Chosen, DeviceOptions, Found};
use crate::config::Settings;
use crate::data::{Dataset, Folds};
use crate::error::{Error, Result};
use crate::fault::{self, FailOperation};
use crate::model::Model;
use crate::program::Precision;

/// Exit code of a run that the user interrupted, as shells count it (128 + SIGINT).
const INTERRUPTED: u8 = 130;

#[derive(Debug, Parser)]
#[command(name = "wgfit", version, about, long_about = None, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network from a config
    Train(train::Arguments),
    /// Score a trained network on labelled data
    Evaluate(evaluate::Arguments),
    /// Predict from raw columns
    Predict(predict::Arguments),
    /// Train on several devices in lockstep with an f64 run: right, how fast, from where on
    Compare(compare::Arguments),
    /// Show what stands in a model's tensors: shapes, moments, norms, histograms
    Inspect(inspect::Arguments),
    /// Explain a finished training on one page: report.html in its run folder
    Report(report::Arguments),
    /// Hold every kernel that a device may run to the f64 reference: does it compute right?
    Verify(verify::Arguments),
    /// Write a trained network as ONNX, or its weights as safetensors
    Export(export::Arguments),
    /// List the devices that can train
    Devices(devices::Arguments),
    /// Print a commented starting config for a data file
    New(new::Arguments),
    /// Train a search space: many configs side by side, as few trainings
    Sweep(sweep::Arguments),
    /// Find a learning rate: the range test
    LrFind(lr_find::Arguments),
    /// List every activation, loss, optimizer, ... with its formula, parameters and defaults
    List(list::Arguments),
    /// Print the JSON Schema of the config
    Schema,
}

/// A fault on purpose.
#[derive(Debug, clap::Args)]
struct Fault {
    /// Have an operation on the disk fail on purpose, to see what becomes of the run
    #[arg(long, value_name = "N[:KIND]", hide = true)]
    fail_operation: Option<FailOperation>,
}

impl Fault {
    fn arm(&self) {
        if let Some(fault) = self.fail_operation {
            fault::arm(fault);
        }
    }
}

/// What a command runs on.
#[derive(Debug, clap::Args)]
struct Device {
    /// auto, cpu, gpu, or an index or a part of a name out of `wgfit devices`
    #[arg(long, default_value = "auto")]
    device: String,
    /// Threads of the CPU [default: $RAYON_NUM_THREADS, or the processors that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Compute something wrong on a GPU on purpose, to see that `wgfit verify` finds it
    #[arg(long, value_name = "KERNEL[/TILE][/f16]", hide = true)]
    plant_fault: Option<PlantedFault>,
    /// Lose the GPU on purpose after so many steps, to see that training goes on
    #[arg(long, value_name = "STEP[xTIMES][/gone]", hide = true)]
    plant_loss: Option<PlantedLoss>,
}

impl Device {
    /// The options of a GPU, with what the command line says of it; warns of a planted fault.
    fn gpu(&self, options: GpuOptions) -> GpuOptions {
        if let Some(fault) = self.plant_fault {
            crate::report::say(&format!(
                "warning: --plant-fault {fault}: this GPU computes WRONG RESULTS on purpose; what \
                 comes of it is of no use"
            ));
        }
        GpuOptions {
            planted_fault: self.plant_fault,
            planted_loss: self.plant_loss,
            heeds_verification: true,
            ..options
        }
    }

    fn options(&self, gpu: GpuOptions, precision: Precision) -> DeviceOptions {
        let threads = self.threads.map_or(0, usize::from);
        DeviceOptions { threads, precision, gpu: self.gpu(gpu) }
    }

    /// Does some work while the device is found and opened.
    fn during<T>(
        &self,
        gpu: GpuOptions,
        precision: Precision,
        work: impl FnOnce() -> T,
    ) -> (Result<Chosen>, T) {
        let options = self.options(gpu, precision);
        let (chosen, done) = backend::choose_during(&self.device, options, work);
        for warning in chosen.iter().flat_map(|chosen| &chosen.warnings) {
            crate::report::say(&format!("warning: {warning}"));
        }
        (chosen, done)
    }

    /// Does some work while the device is found and opened, or those that are to be tried.
    fn look_for_during<T>(
        &self,
        gpu: GpuOptions,
        precision: Precision,
        work: impl FnOnce() -> T,
    ) -> (Result<Found>, T) {
        backend::look_for_during(&self.device, self.options(gpu, precision), work)
    }
}

/// Parses the command line and does what it says.
///
/// # Errors
/// Whatever stopped the command; [`Error::exit_code`] gives the exit code.
pub fn run() -> Result<ExitCode> {
    let started = Instant::now();
    match Arguments::parse().command {
        Command::Train(arguments) => train::run(&arguments, started),
        Command::Evaluate(arguments) => evaluate::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Predict(arguments) => predict::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Report(arguments) => report::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Export(arguments) => export::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Devices(arguments) => devices::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::New(arguments) => new::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::LrFind(arguments) => lr_find::run(&arguments),
        Command::List(arguments) => list::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Schema => schema::run().map(|()| ExitCode::SUCCESS),
    }
}

/// The training of the first fold, of a data set that is cross-validated; else the data set as it is.
fn first_fold(dataset: Dataset, settings: &mut Settings) -> Result<Dataset> {
    let Some(folds) = dataset.folds.as_ref().map(Folds::count) else { return Ok(dataset) };
    crate::report::say(&format!("folds: the first of {folds} is taken"));
    settings.members /= folds;
    dataset.fold(0)?.ok_or_else(|| Error::internal("there is no first fold"))
}

/// Ctrl-C asks for an orderly end; a second one ends the process.
fn watch_for_interrupts(interrupt: &Arc<AtomicBool>) -> Result<()> {
    let flag = Arc::clone(interrupt);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .map_err(|error| Error::internal(format!("cannot watch for Ctrl-C: {error}")))
}

/// A run folder's model file, or the file itself.
fn model_file(run: &Path) -> Result<PathBuf> {
    let file = if run.is_dir() { run.join("model.safetensors") } else { run.to_owned() };
    if !file.exists() {
        return Err(Error::usage(format!("{} does not exist", file.display()))
            .with_help("give a run folder that training has finished, or a model.safetensors"));
    }
    Ok(file)
}

/// A run folder's or a file's model.
fn load_model(run: &Path) -> Result<Model> {
    Model::load(&model_file(run)?)
}

/// Writes to stdout; a reader that went away (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write", &PathBuf::from("stdout"), error))
        }
        _ => Ok(()),
    }
}

/// One JSON document on stdout.
fn print_json(value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::internal(format!("cannot print JSON: {error}")))?;
    print(&format!("{text}\n"))
}
