//! `wgfit report`: the page that explains a finished training.

use std::path::{Path, PathBuf};

use crate::analysis::{Analysis, Subject, analyse};
use crate::backend::Backend;
use crate::backend::gpu::GpuOptions;
use crate::config::Config;
use crate::data;
use crate::disk::write_atomically;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::program::Precision;
use crate::report::{Progress, RunFolder, RunRecord, run_page};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run folder
    run: PathBuf,
    /// Where to write the page [default: report.html in the run folder]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    #[command(flatten)]
    device: super::Device,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let folder = &arguments.run;
    let mut record = RunRecord::read(folder)?;
    if record.analysis.is_none() {
        match analysed_again(folder, &arguments.device) {
            Ok(analysis) => record.analysis = Some(analysis),
            Err(error) => {
                record.problems.push(format!(
                    "What the weights do on rows held out is not on record, and could not be found \
                     out again: {}",
                    error.to_string().lines().map(str::trim).collect::<Vec<_>>().join("; ")
                ));
            }
        }
    }
    let out = arguments.out.clone().unwrap_or_else(|| folder.join("report.html"));
    write_atomically(&out, run_page(&record)?.as_bytes())?;
    super::print(&format!("{}\n", out.display()))
}

/// The analysis of a run that has none, from the model and the data that its config names.
fn analysed_again(folder: &Path, device: &super::Device) -> Result<Analysis> {
    let model = super::load_model(folder)?;
    let file = folder.join("config.json");
    if !file.exists() {
        return Err(Error::usage("there is no config.json that says which data it was trained on"));
    }
    let load = || {
        let config = Config::load(&file, &[])?;
        let dataset = data::load(&config.validate(folder)?.data)?;
        Subject::of(&dataset, model.network.members)
    };
    let (chosen, subject) = device.during(GpuOptions::default(), Precision::F32, load);
    let (subject, chosen) = (subject?, chosen?);
    analyse(&model, subject, chosen.backend.as_ref())
}

/// Analyses the weights that a training has kept, and writes analysis.json and report.html. Where the device
/// is lost meanwhile or has no room, another finds out the same.
pub(super) fn write(
    folder: &RunFolder,
    model: &Model,
    subject: Subject,
    backend: &dyn Backend,
    progress: &Progress,
) -> Result<()> {
    let analysis = match analyse(model, subject.clone(), backend) {
        Err(error @ (Error::DeviceLost { .. } | Error::OutOfMemory { .. })) => {
            let is_lost = matches!(error, Error::DeviceLost { .. });
            let reopened = is_lost.then(|| backend.reopen().ok()).flatten();
            let next = reopened.map_or_else(|| backend.stand_in(), Ok)?;
            let (name, why) = (&next.device().name, error.to_string());
            let why = why.lines().next().unwrap_or_default().trim_end_matches('.');
            progress.warning(&format!("{why}; the report is made on {name}"));
            analyse(model, subject, next.as_ref())
        }
        analysed => analysed,
    }?;
    folder.write_analysis(&analysis)?;
    write_page(folder)
}

/// Writes report.html of what is in the folder.
pub(super) fn write_page(folder: &RunFolder) -> Result<()> {
    folder.write_report(&run_page(&RunRecord::read(folder.path())?)?)
}
