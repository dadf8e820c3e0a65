//! `wgfit train`: a config and data in, a run folder out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::recorder::Recorder;
use super::resume::{Place, identity, refuse_changes, show_what_may_differ};
use super::way_out::{WayOut, is_of_writing, with_way_out};
use crate::analysis::{Subject, mean_and_deviation};
use crate::audit::{Finding, Severity, audit};
use crate::backend::Backend;
use crate::backend::gpu::GpuOptions;
use crate::baseline::{Baselines, Jobs, baselines};
use crate::cache;
use crate::config::Config;
use crate::data::{self, Dataset, Folds};
use crate::error::{Error, Result, one_line};
use crate::model::Model;
use crate::report::{Progress, RunFacts, RunFolder, count, score};
use crate::train::explain::explain;
use crate::train::quickest::quickest;
use crate::train::{self, Outcome, Scores, StopReason};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The config: JSON, `//` comments allowed
    config: PathBuf,
    /// Config keys to override, such as optimizer.learning_rate=0.01 or model.layers.0.units=256
    #[arg(value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    device: super::Device,
    /// The run folder [default: runs/{config name}-N, the first free N]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on from the last checkpoint of the run in the folder, or begin where there is none; without
    /// --out in the last runs/{config name}-N
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace a run that is already in the folder
    #[arg(long)]
    overwrite: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Cut matrix products up as is usual for the kind of adapter, without measuring at the first use
    #[arg(long)]
    no_tune: bool,
    /// Print the summary as JSON instead of the run folder's path; the explanation with --explain
    #[arg(long)]
    json: bool,
    /// Print what a training step is made of, call by call, and train nothing
    #[arg(long, conflicts_with_all = ["out", "overwrite", "resume"])]
    explain: bool,
    /// With --explain: measure each call, and the least time that it could take on this device
    #[arg(long, requires = "explain")]
    time: bool,
    #[command(flatten)]
    fault: super::Fault,
}

/// `started` is when the process did.
pub(super) fn run(arguments: &Arguments, started: Instant) -> Result<ExitCode> {
    arguments.fault.arm();
    let config = Config::load(&arguments.config, &arguments.overrides)?;
    let folder = arguments.config.parent().unwrap_or(Path::new(""));
    let mut settings = config.validate(folder)?;
    let mut progress = Progress::new(arguments.quiet);
    let name = arguments.config.file_stem().map_or("run".into(), |stem| stem.to_string_lossy());
    let out = arguments.out.as_deref();
    let place = if arguments.resume {
        Place::of_resumed_run(out, &name, &progress)
    } else {
        Place::of_new_run(out, arguments.overwrite)
    };
    let mut place = place.map_err(|error| with_way_out(error, out, WayOut::Again))?;
    if let Some(from) = place.from.as_ref().filter(|_| settings.data.chunk_rows.is_none()) {
        // Where rows are streamed by the memory that is free, the order stays that of the beginning.
        settings.data.chunk_rows = from.chunk_rows();
    }

    let precision = settings.training.precision;
    let options = GpuOptions { tunes: !arguments.no_tune, ..GpuOptions::default() };
    let (found, dataset) =
        arguments.device.look_for_during(options, precision, || data::load(&settings.data));
    let dataset = dataset.map_err(|error| settings.locate(error))?;
    let task = settings.fit_task(dataset.preprocessing.task())?;
    show_data(&progress, &settings.data.train, &dataset);
    let findings = if arguments.explain { Vec::new() } else { audit(&dataset)? };
    show_findings(&progress, &findings);
    let mut config = settings.resolved_for(&task);
    config.data.chunk_rows = dataset.chunk_rows;
    if let Some((run, from)) = place.resumed() {
        refuse_changes(run, &from.identity, &config, &dataset.hash)?;
        let epochs = settings.training.epochs;
        let is_complete = from.checkpoint.is_complete(epochs);
        let state = &from.checkpoint.state;
        let what = match (is_complete, &state.within) {
            (true, _) => "is complete".to_owned(),
            (false, Some(_)) => format!("goes on within epoch {} of {epochs}", state.epoch + 1),
            (false, None) => format!("goes on after epoch {} of {epochs}", state.epoch),
        };
        progress.fact("run", &format!("{} {what}", run.display()));
        if is_complete && RunFolder::has_ended(run) {
            print_run(run, RunFolder::read_summary(run)?, arguments.json)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let network = train::network_of(&settings, &dataset.preprocessing)?;
    let chosen = quickest(found?, &settings, &task, &dataset.preprocessing, cache::folder())?;
    progress.fact("device", &chosen.why);
    for warning in &chosen.warnings {
        progress.line(&format!("warning: {warning}"));
    }
    if arguments.explain {
        let backend = chosen.backend.as_ref();
        let explanation = explain(&settings, &task, dataset, backend, arguments.time)?;
        if arguments.json {
            super::print_json(&serde_json::json!(explanation))?;
        } else {
            super::print(&explanation.to_text())?;
        }
        return Ok(ExitCode::SUCCESS);
    }

    let identity = identity(&config, &dataset.hash, chosen.backend.device());
    if let Some((_, from)) = place.resumed() {
        show_what_may_differ(&from.identity, &identity, &progress);
    }
    let checkpoint = place.from.as_ref().map(|from| from.checkpoint.clone());
    let interrupt = Arc::new(AtomicBool::new(false));
    super::watch_for_interrupts(&interrupt)?;
    let preprocessing = dataset.preprocessing.clone();
    let data_hash = dataset.hash.clone();
    let rows = rows_of(&dataset);
    let folds = dataset.folds.as_ref().map(Folds::count);
    let training_rows = trained_on(&dataset);
    let subject = Subject::of(&dataset, network.members)?;
    let jobs = Jobs::of(&dataset, &task, settings.optimizer.convention)?;
    let mut recorder = Recorder {
        place: &mut place,
        name: &name,
        config: &config,
        identity,
        folder: None,
        progress: &mut progress,
        interrupt: &interrupt,
        started,
        startup_seconds: 0.0,
    };
    let backend = chosen.backend.as_ref();
    let (outcome, beside) = beside_training(&jobs, backend, || {
        let from = checkpoint.as_ref();
        train::resume(&settings, &task, dataset, backend, &mut recorder, from)
    });
    let Recorder { folder: run_folder, startup_seconds, .. } = recorder;
    progress.end();
    let run = run_folder.as_ref().map(|folder| folder.path().to_owned());
    let cannot_write = |error| match &run {
        Some(run) => with_way_out(error, Some(run), WayOut::of_folder(run)),
        None if arguments.overwrite => with_way_out(error, out, WayOut::Again),
        None => with_way_out(error, out, WayOut::Begin),
    };
    let outcome = outcome.map_err(cannot_write).inspect_err(|error| {
        // What is on record so far may say why.
        if let Some(run_folder) = run_folder.as_ref().filter(|_| !is_of_writing(error)) {
            without_report(&progress, super::report::write_page(run_folder));
        }
    })?;
    // The one that it began on may be lost.
    let backend: &dyn Backend = match &outcome.replacement {
        Some(replacement) => replacement.backend(),
        None => backend,
    };
    let mut run_folder =
        run_folder.ok_or_else(|| Error::internal("training made no run folder"))?;

    let model = Model {
        config: config.without_paths(),
        preprocessing,
        network,
        parameters: outcome.parameters.clone(),
    };
    // Whatever follows, the weights are safe.
    run_folder.keep(&model).map_err(cannot_write)?;
    let baselines = match (beside, outcome.stop_reason) {
        (Some(baselines), _) => Some(baselines?),
        // Whoever interrupts a run does not want to wait.
        (None, StopReason::Interrupted) => None,
        (None, _) => Some(baselines(&jobs)?),
    };
    drop(jobs);
    let facts = RunFacts {
        device: backend.device(),
        startup_seconds,
        data_hash: &data_hash,
        rows: &rows,
        folds,
        audit: &findings,
        baselines: baselines.as_ref(),
        task: model.preprocessing.task().to_string(),
        loss: task.loss.row.name,
        precision: settings.training.precision,
    };
    let summary = run_folder.finish(&outcome, &facts).map_err(cannot_write)?;
    run_folder.take_warnings().iter().for_each(|text| progress.warning(text));
    show_outcome(&progress, &outcome, baselines.as_ref(), training_rows, folds);
    let written = super::report::write(&run_folder, &model, subject, backend, &progress);
    without_report(&progress, written);
    if outcome.stop_reason == StopReason::Interrupted && config.checkpoint.is_some() {
        progress.line(&format!("--resume --out {} goes on from here", run_folder.path().display()));
    }
    print_run(run_folder.path(), summary, arguments.json)?;
    match (outcome.failure, outcome.stop_reason) {
        (Some(error), _) => Err(error),
        (None, StopReason::Interrupted) => Ok(ExitCode::from(super::INTERRUPTED)),
        (None, _) => Ok(ExitCode::SUCCESS),
    }
}

/// The last word of a run, on stdout.
fn print_run(run: &Path, mut summary: serde_json::Value, as_json: bool) -> Result<()> {
    if as_json {
        summary["run"] = run.to_string_lossy().into();
        return super::print_json(&summary);
    }
    super::print(&format!("{}\n", run.display()))
}

/// Trains, and fits the baselines meanwhile where the device leaves the processors to them; else they are
/// none.
fn beside_training<T>(
    jobs: &Jobs,
    backend: &dyn Backend,
    train: impl FnOnce() -> T,
) -> (T, Option<Result<Baselines>>) {
    if !backend.capacity().queues || backend.device().kind == "software" {
        return (train(), None);
    }
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| baselines(jobs));
        let trained = train();
        let beside = beside.join();
        (trained, Some(beside.unwrap_or_else(|_| Err(Error::internal("the baselines panicked")))))
    })
}

/// A report that cannot be made loses no run.
fn without_report(progress: &Progress, written: Result<()>) {
    if let Err(error) = written {
        progress.warning(&format!("there is no report.html of this run: {}", one_line(&error)));
    }
}

/// Rows that a network trains on: of folds, the most.
fn trained_on(dataset: &Dataset) -> usize {
    let of_fold =
        |folds: &Folds| (0..folds.count()).map(|fold| folds.trained(fold).len()).max().unwrap_or(0);
    dataset.folds.as_ref().map_or(dataset.train.rows, of_fold)
}

/// Rows of each set.
fn rows_of(dataset: &Dataset) -> Vec<(&'static str, usize)> {
    let Dataset { train, validation, test, .. } = dataset;
    let all =
        [("train", Some(train)), ("validation", validation.as_ref()), ("test", test.as_ref())];
    all.into_iter().filter_map(|(set, rows)| Some((set, rows?.rows))).collect()
}

fn show_data(progress: &Progress, file: &Path, dataset: &Dataset) {
    let rows = |rows: &data::Rows| count(rows.rows as u64);
    let mut text = format!("{}: {} training rows", file.display(), rows(&dataset.train));
    for (set, name) in [(&dataset.validation, "validation"), (&dataset.test, "test")] {
        if let Some(set) = set {
            text.push_str(&format!(", {} {name}", rows(set)));
        }
    }
    if let Some(folds) = &dataset.folds {
        let order = if folds.follows_time() { ", oldest first" } else { "" };
        text.push_str(&format!(" in {} folds{order}", folds.count()));
    }
    let columns = dataset.preprocessing.columns().iter();
    let inputs: usize = columns.map(|column| column.encoding.inputs()).sum();
    text.push_str(&format!("; {} inputs", count(inputs as u64)));
    progress.fact("data", &text);
    for note in &dataset.notes {
        progress.fact("", note);
    }
}

/// What the data is like, the gravest first.
fn show_findings(progress: &Progress, findings: &[Finding]) {
    for finding in findings {
        match finding.severity {
            Severity::Warning => progress.line(&format!("warning: {}", finding.line())),
            Severity::Note => progress.line(&format!("note: {}", finding.line())),
            Severity::Info => {}
        }
    }
}

fn show_outcome(
    progress: &Progress,
    outcome: &Outcome,
    baselines: Option<&Baselines>,
    training_rows: usize,
    folds: Option<usize>,
) {
    let why = match outcome.stop_reason {
        StopReason::Epochs => "all epochs done",
        StopReason::EarlyStopping => "stopped early: no more improvement",
        StopReason::Interrupted => "interrupted",
        StopReason::Diverged => "diverged",
    };
    let kept = match outcome.best_epoch.as_slice() {
        [0] => "the weights as they stand".to_owned(),
        [epoch] => format!("the weights of epoch {epoch}"),
        _ => "each member's best weights".to_owned(),
    };
    progress.line(&format!(
        "\n{why} after {} epochs and {:.1} s ({} samples/s); kept {kept}",
        outcome.epochs,
        outcome.seconds,
        count(outcome.samples_per_second as u64)
    ));
    let Some((_, first)) = outcome.scores.first() else { return };
    let Some(names) = first.first().map(|scores| {
        std::iter::once("loss")
            .chain(scores.metrics.iter().map(|(name, _)| *name))
            .collect::<Vec<_>>()
    }) else {
        return;
    };
    let column = |name: &str| name.len().max(10) + 2;
    let mut header = format!("{:<21}", "");
    for name in &names {
        header.push_str(&format!("{name:>width$}", width = column(name)));
    }
    progress.line(&header);
    let row = |label: &str, members: &[Scores], remark: &str| {
        let mut line = format!("{label:<21}");
        for name in &names {
            let values: Vec<f64> = members.iter().filter_map(|scores| scores.get(name)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            line.push_str(&format!("{:>width$}", score(mean), width = column(name)));
        }
        progress.line(&format!("{line}{remark}"));
    };
    let deviations = |members: &[Scores]| {
        let mut line = format!("{:<21}", "  deviation");
        for name in &names {
            let values: Vec<f64> = members.iter().filter_map(|scores| scores.get(name)).collect();
            let (_, deviation) = mean_and_deviation(&values);
            line.push_str(&format!("{:>width$}", score(deviation), width = column(name)));
        }
        progress.line(&line);
    };
    let of_members = match folds {
        Some(folds) => format!("  (mean of {folds} folds)"),
        None => "  (mean of the members)".to_owned(),
    };
    let fitted = baselines.and_then(|baselines| baselines.linear.as_ref());
    let fitted = fitted.filter(|linear| linear.rows < training_rows);
    let fitted = fitted.map(|linear| format!("  (fitted to {} rows)", count(linear.rows as u64)));
    let fitted = fitted.unwrap_or_default();
    for (set, members) in &outcome.scores {
        row(set, members, if members.len() > 1 { &of_members } else { "" });
        if members.len() > 1 {
            deviations(members);
        }
        let together = outcome.ensemble.iter().filter(|(own, _)| own == set);
        together.for_each(|(_, own)| row("  ensemble", std::slice::from_ref(own), ""));
        let Some(baselines) = baselines else { continue };
        let linear = baselines.linear.as_ref().map(|linear| &linear.scores);
        for (name, scores) in [("constant", Some(&baselines.constant)), ("linear", linear)] {
            let own = scores.into_iter().flatten().filter(|(own, _)| own == set);
            let remark = if name == "linear" && set == "train" { fitted.as_str() } else { "" };
            own.for_each(|(_, own)| row(&format!("  {name}"), std::slice::from_ref(own), remark));
        }
    }
    if let Some(verdict) = baselines.and_then(|baselines| baselines.verdict(&outcome.scores)) {
        progress.line(&verdict);
    }
}
