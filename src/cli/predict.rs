//! `wgfit predict`: predictions from raw columns, as CSV.

use std::path::PathBuf;

use crate::backend::gpu::GpuOptions;
use crate::config::data::Task;
use crate::data;
use crate::error::{Error, Result};
use crate::model::{Model, Predictions, write_atomically};
use crate::program::Precision;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run folder, or a model.safetensors
    run: PathBuf,
    /// Rows with the columns that the network was trained on
    #[arg(long)]
    data: PathBuf,
    /// Where to write [default: stdout]
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    device: super::Device,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let model = super::load_model(&arguments.run)?;
    let (chosen, rows) = arguments.device.during(GpuOptions::default(), Precision::F32, || {
        data::load_features(&arguments.data, &model.preprocessing)
    });
    let predictions = model.predict(rows?, chosen?.backend.as_ref())?;
    let bytes = to_csv(&model, &predictions)
        .map_err(|error| Error::internal(format!("cannot write CSV: {error}")))?;
    match &arguments.out {
        Some(file) => {
            write_atomically(file, &bytes)?;
            eprintln!("{} predictions in {}", predictions.rows, file.display());
            Ok(())
        }
        None => super::print(&String::from_utf8_lossy(&bytes)),
    }
}

/// `probability_{class}` columns and last `prediction`; for regression the predictions alone. A
/// multilabel prediction is the row's labels, parted by spaces.
fn to_csv(model: &Model, predictions: &Predictions) -> std::result::Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let classes = model.preprocessing.classes();
    let said: Vec<String> = match model.preprocessing.task() {
        Task::Regression => {
            writer.write_record(prediction_columns(model))?;
            for row in predictions.values.chunks_exact(predictions.width) {
                writer.write_record(row.iter().map(shown))?;
            }
            return writer.into_inner().map_err(|error| error.into_error().into());
        }
        Task::Classification | Task::Binary => {
            predictions.classes().into_iter().map(|class| classes[class].clone()).collect()
        }
        Task::Multilabel => {
            let join = |row: Vec<usize>| {
                row.into_iter().map(|label| classes[label].as_str()).collect::<Vec<_>>().join(" ")
            };
            predictions.labels().into_iter().map(join).collect()
        }
    };
    let names = classes.iter().map(|class| format!("probability_{class}"));
    writer.write_record(names.chain(["prediction".to_owned()]))?;
    for (row, said) in predictions.values.chunks_exact(predictions.width).zip(said) {
        writer.write_record(row.iter().map(shown).chain([said]))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn shown(value: &f64) -> String {
    (*value as f32).to_string()
}

/// `prediction`, or `prediction_{target}` when there are several.
fn prediction_columns(model: &Model) -> Vec<String> {
    match model.preprocessing.target_names() {
        [_] | [] => vec!["prediction".to_owned()],
        names => names.iter().map(|name| format!("prediction_{name}")).collect(),
    }
}
