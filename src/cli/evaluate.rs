//! `wgfit evaluate`: scores of a trained network on labelled data.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::analysis::mean_and_deviation;
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
    let evaluation = model.evaluate(rows, chosen.backend.as_ref())?;
    let Evaluation { ensemble, ensemble_confusion, .. } = &evaluation;
    if arguments.json {
        return super::print_json(&document(&evaluation));
    }
    crate::report::say(&format!("{source}: {count} rows, on {}", chosen.backend.device().name));
    super::print(&table(ensemble, &evaluation.scores))?;
    if (1..=SHOWN_CLASSES).contains(&ensemble_confusion.len()) {
        super::print(&confusion_table(ensemble_confusion, model.preprocessing.classes()))?;
    }
    Ok(())
}

/// The model's scores, and of several members their own, in lists, with mean and deviation.
fn document(evaluation: &Evaluation) -> Value {
    let Evaluation { ensemble, ensemble_confusion, scores, confusion } = evaluation;
    let mut document = scores_json(std::slice::from_ref(ensemble));
    if !ensemble_confusion.is_empty() {
        document["confusion_matrix"] = json!(ensemble_confusion);
    }
    if scores.len() > 1 {
        let mut members = scores_json(scores);
        if !confusion.is_empty() {
            members["confusion_matrix"] = json!(confusion);
        }
        document["members"] = members;
        let (mean, deviation) = over_members(scores);
        document["mean"] = scores_json(&[mean]);
        document["deviation"] = scores_json(&[deviation]);
    }
    document
}

/// The mean of each score over the members, and the standard deviation.
fn over_members(scores: &[Scores]) -> (Scores, Scores) {
    let of = |value: &dyn Fn(&Scores) -> f64| {
        mean_and_deviation(&scores.iter().map(value).collect::<Vec<_>>())
    };
    let (mean, deviation) = of(&|own| own.loss);
    let mut mean = Scores { loss: mean, metrics: Vec::new() };
    let mut deviation = Scores { loss: deviation, metrics: Vec::new() };
    for (at, (name, _)) in scores.first().map_or(&[][..], |own| &own.metrics).iter().enumerate() {
        let (about, apart) = of(&|own| own.metrics[at].1);
        mean.metrics.push((name, about));
        deviation.metrics.push((name, apart));
    }
    (mean, deviation)
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

/// A value a line; of several members beside it the mean and the deviation of theirs.
fn table(ensemble: &Scores, members: &[Scores]) -> String {
    let names: Vec<&str> =
        std::iter::once("loss").chain(ensemble.metrics.iter().map(|(name, _)| *name)).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0).max(10) + 2;
    let mut text = String::new();
    let mut columns = vec![ensemble.clone()];
    if members.len() > 1 {
        let (mean, deviation) = over_members(members);
        columns.extend([mean, deviation]);
        text = format!("{:<width$}{:>12}{:>12}{:>12}\n", "", "ensemble", "members", "deviation");
    }
    for name in names {
        let values = columns.iter().filter_map(|own| own.get(name));
        let values: String = values.map(|value| format!("{:>12}", score(value))).collect();
        text.push_str(&format!("{name:<width$}{values}\n"));
    }
    text
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
