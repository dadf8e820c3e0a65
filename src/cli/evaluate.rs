//! `wgfit evaluate`: scores of a trained network on labelled data.

use std::path::{Path, PathBuf};

use crate::backend::gpu::GpuOptions;
use crate::config::Config;
use crate::data;
use crate::error::{Error, Result};
use crate::model::Evaluation;
use crate::program::Precision;
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
    #[command(flatten)]
    device: super::Device,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let model = super::load_model(&arguments.run)?;
    let load = || match &arguments.data {
        Some(file) => {
            let labels = arguments.labels.as_deref();
            let data::Encoded { rows, notes } =
                data::load_rows(file, labels, &model.preprocessing)?;
            notes.iter().for_each(|note| crate::report::say(note));
            Ok((rows, file.display().to_string()))
        }
        None => held_out(&arguments.run),
    };
    let (chosen, loaded) = arguments.device.during(GpuOptions::default(), Precision::F32, load);
    let ((rows, source), chosen) = (loaded?, chosen?);
    let count = rows.rows;
    let Evaluation { scores, confusion } = model.evaluate(rows, chosen.backend.as_ref())?;
    if arguments.json {
        let mut document = scores_json(&scores);
        match confusion.as_slice() {
            [] => {}
            [one] => document["confusion_matrix"] = one.clone().into(),
            all => document["confusion_matrix"] = all.into(),
        }
        return super::print_json(&document);
    }
    crate::report::say(&format!("{source}: {count} rows, on {}", chosen.backend.device().name));
    super::print(&table(&scores))?;
    match confusion.as_slice() {
        [one] if one.len() <= SHOWN_CLASSES => {
            super::print(&confusion_table(one, model.preprocessing.classes()))
        }
        _ => Ok(()),
    }
}

/// Classes up to which the confusion matrix is shown.
const SHOWN_CLASSES: usize = 12;

/// The confusion matrix: a true class a line, a predicted one a column.
fn confusion_table(matrix: &[Vec<u64>], classes: &[String]) -> String {
    let shown: Vec<String> = classes.iter().map(|class| class.chars().take(12).collect()).collect();
    let counts = matrix.iter().flatten().map(|count| count.to_string().len());
    let names = shown.iter().map(|class| class.chars().count());
    let width = counts.chain(names).max().unwrap_or(1) + 2;
    let line = |head: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>width$}")).collect();
        format!("{head:<12}{cells}\n")
    };
    let mut text = String::from("\ntrue \\ predicted\n");
    text.push_str(&line("", &shown));
    for (class, counts) in shown.iter().zip(matrix) {
        let cells: Vec<String> = counts.iter().map(u64::to_string).collect();
        text.push_str(&line(class, &cells));
    }
    text
}

/// A value a line; with several members a column each.
fn table(scores: &[Scores]) -> String {
    let Some(first) = scores.first() else { return String::new() };
    let names = std::iter::once("loss").chain(first.metrics.iter().map(|(name, _)| *name));
    let width = names.clone().map(str::len).max().unwrap_or(0).max(10) + 2;
    names
        .map(|name| {
            let values: String = scores
                .iter()
                .filter_map(|member| member.get(name))
                .map(|value| format!("{:>12}", score(value)))
                .collect();
            format!("{name:<width$}{values}\n")
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
    if let Some(folds) = &dataset.folds {
        let problem = format!("the run trained on every row, in {} folds", folds.count());
        return Err(Error::usage(problem).with_help(
            "summary.json has the scores of each fold; give labelled rows with --data FILE",
        ));
    }
    Err(Error::usage("the run held back neither test nor validation rows")
        .with_help("give labelled rows with --data FILE"))
}
