//! `wgfit evaluate`: scores of a trained network on labelled data.

use std::path::{Path, PathBuf};

use crate::backend;
use crate::config::Config;
use crate::data;
use crate::error::{Error, Result};
use crate::report::{score, scores_json};
use crate::train::Scores;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run folder, or a model.safetensors
    run: PathBuf,
    /// Labelled data [default: the run's own test rows, else its validation rows]
    #[arg(long)]
    data: Option<PathBuf>,
    /// The labels, for formats that keep them apart (IDX)
    #[arg(long, requires = "data")]
    labels: Option<PathBuf>,
    /// auto, cpu, gpu, or an index or a part of a name out of `wgfit devices`
    #[arg(long, default_value = "auto")]
    device: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let model = super::load_model(&arguments.run)?;
    let (rows, source) = match &arguments.data {
        Some(file) => {
            let rows = data::load_rows(file, arguments.labels.as_deref(), &model.preprocessing)?;
            (rows, file.display().to_string())
        }
        None => held_out(&arguments.run)?,
    };
    let chosen = backend::choose(&arguments.device)?;
    let count = rows.rows;
    let scores = model.evaluate(rows, chosen.backend.as_ref())?;
    if arguments.json {
        return super::print_json(&scores_json(&scores));
    }
    eprintln!("{source}: {count} rows, on {}", chosen.backend.device().name);
    super::print(&table(&scores))
}

/// A value a line; with several members a column each.
fn table(scores: &[Scores]) -> String {
    let Some(first) = scores.first() else { return String::new() };
    let names = std::iter::once("loss").chain(first.metrics.iter().map(|(name, _)| *name));
    names
        .map(|name| {
            let values: String = scores
                .iter()
                .filter_map(|member| member.get(name))
                .map(|value| format!("{:>12}", score(value)))
                .collect();
            format!("{name:<12}{values}\n")
        })
        .collect()
}

/// The rows that the run did not train on, split off again by its own config.
fn held_out(run: &Path) -> Result<(data::Rows, String)> {
    let file = run.join("config.json");
    if !file.exists() {
        return Err(Error::usage("there is no data to evaluate on")
            .with_help("give labelled rows with --data FILE"));
    }
    let config = Config::load(&file, &[])?;
    let dataset = data::load(&config.validate(run)?.data)?;
    if let Some(rows) = dataset.test {
        return Ok((rows, "the run's test rows".to_owned()));
    }
    if let Some(rows) = dataset.validation {
        return Ok((rows, "the run's validation rows".to_owned()));
    }
    Err(Error::usage("the run held back neither test nor validation rows")
        .with_help("give labelled rows with --data FILE"))
}
