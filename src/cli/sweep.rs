//! `wgfit sweep`: many trainings from one file, side by side.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::way_out::{self, WayOut, is_of_writing};
use crate::backend::gpu::GpuOptions;
use crate::backend::{Backend, Chosen};
use crate::cache;
use crate::config::sweep::SweepConfig;
use crate::error::{Error, Result};
use crate::report::{Progress, RunFolder, count, duration, score};
use crate::sweep::{
    self, Ended, From, Plan, Shown, Sweep, SweepFolder, TrialRecord, in_words, to_text,
};
use crate::train::quickest::quickest;
use crate::train::trials::{Leave, TrialEpoch};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The sweep: a base config, a space of keys and values, and how it is searched
    sweep: PathBuf,
    #[command(flatten)]
    device: super::Device,
    /// The sweep's folder [default: runs/{sweep's name}-N, the first free N]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on with the sweep in the folder, or begin where there is none; without --out in the last
    /// runs/{sweep's name}-N
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace a sweep that is already in the folder
    #[arg(long)]
    overwrite: bool,
    /// Print the plan, and train nothing
    #[arg(long, conflicts_with_all = ["out", "overwrite", "resume"])]
    dry_run: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Print the summary as JSON instead of the folder's path; the plan with --dry-run
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    fault: super::Fault,
}

/// Rows of the table that is shown in the end.
const SHOWN: usize = 10;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    arguments.fault.arm();
    let config = SweepConfig::load(&arguments.sweep)?;
    let name = arguments.sweep.file_stem().map_or("sweep".into(), |stem| stem.to_string_lossy());
    let progress = Progress::new(arguments.quiet);
    let place = match &arguments.out {
        Some(out) => Some(out.clone()),
        None if arguments.resume => RunFolder::last(&name),
        None => None,
    };
    if let Some(out) = place.as_deref().filter(|_| !arguments.resume) {
        SweepFolder::refuse_old(out, arguments.overwrite)?;
    }
    let base = config.base_config()?.validate(&config.folder)?;
    let precision = base.training.precision;
    let (found, sweep) =
        arguments.device.look_for_during(GpuOptions::default(), precision, || Sweep::new(config));
    let mut sweep = sweep?;
    let group = &sweep.groups[0];
    let (settings, task) = (group.common.clone(), group.task.clone());
    let preprocessing = sweep.dataset(&settings)?.preprocessing.clone();
    let mut chosen = quickest(found?, &settings, &task, &preprocessing, cache::folder())?;
    let plan = planned(&mut sweep, &mut chosen, &progress)?;
    let backend = chosen.backend.as_ref();
    if arguments.dry_run && arguments.json {
        super::print_json(&json!(plan))?;
        return Ok(ExitCode::SUCCESS);
    }
    progress.fact("device", &chosen.why);
    for warning in &chosen.warnings {
        progress.line(&format!("warning: {warning}"));
    }
    for (label, text) in plan.facts() {
        if arguments.dry_run {
            super::print(&format!("{label:<10}{text}\n"))?;
        } else {
            progress.fact(&label, &text);
        }
    }
    if arguments.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    let written = sweep.written();
    let resumed = match place.as_deref().filter(|_| arguments.resume) {
        Some(folder) if SweepFolder::has_ended(folder) => {
            SweepFolder::remove_left_states(folder)
                .map_err(|error| way_out::with_way_out(error, Some(folder), WayOut::Begin))?;
            progress.line(&format!("{} is complete", folder.display()));
            super::print(&format!("{}\n", folder.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(folder) => From::open(folder, &sweep).map_err(|error| with_way_out(error, folder))?,
        None => None,
    };
    let (folder, from) = match resumed {
        Some((folder, from)) => {
            let trials = count(sweep.trials.len() as u64);
            let ended = count(from.ended() as u64);
            progress.line(&format!("goes on after {ended} of {trials} trials have ended"));
            if from.device != backend.device().name {
                progress.line(&format!(
                    "warning: it was begun on {}: the last bits may differ",
                    from.device
                ));
            }
            (folder, Some(from))
        }
        None => {
            let replaces = arguments.overwrite || arguments.resume;
            let way_out = if arguments.overwrite { WayOut::Again } else { WayOut::Begin };
            let made = SweepFolder::create(place.as_deref(), &name, replaces, &written)
                .map_err(|error| way_out::with_way_out(error, place.as_deref(), way_out))?;
            (made, None)
        }
    };
    let path = folder.path().to_owned();
    let interrupt = Arc::new(AtomicBool::new(false));
    super::watch_for_interrupts(&interrupt)?;
    let mut shown = Terminal::new(&sweep, progress, &interrupt, arguments.quiet);
    let begun = Instant::now();
    let place = Begun { path: &path, name: &name, written: &written, plan: &plan };
    let ended = to_the_end(&mut sweep, &place, backend, (folder, from), &mut shown);
    shown.end();
    let ended = ended.map_err(|error| {
        let error = with_way_out(error, &path);
        if !is_of_writing(&error) {
            shown.progress.warning(&format!(
                "what has ended is kept; --resume --out {} goes on from the last state",
                path.display()
            ));
        }
        error
    })?;
    show_end(&sweep, &ended, begun.elapsed().as_secs_f64(), &shown.progress);
    if ended.interrupted {
        shown.progress.line(&format!("--resume --out {} goes on from here", path.display()));
    }
    print_folder(&path, &ended, arguments.json)?;
    Ok(if ended.interrupted { ExitCode::from(super::INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// The same error, which also says what to do, if it is of a file of the sweep's folder.
fn with_way_out(error: Error, folder: &Path) -> Error {
    let has_state = SweepFolder::has_state(folder);
    let way_out = if has_state { WayOut::Resume } else { WayOut::Begin };
    way_out::with_way_out(error, Some(folder), way_out)
}

/// How often a device may be lost.
const MOST_LOSSES: usize = 5;

/// What goes on in the place of a device that is lost: another of the same adapter, or what stands in for it.
fn next(lost: &dyn Backend) -> Result<Box<dyn Backend + Send>> {
    lost.reopen().or_else(|_| lost.stand_in())
}

/// Plans a sweep for the chosen device; where that is lost while its step is measured, for the next.
fn planned(sweep: &mut Sweep, chosen: &mut Chosen, progress: &Progress) -> Result<Plan> {
    let mut losses = 0;
    loop {
        match Plan::new(sweep, chosen.backend.as_ref()) {
            Err(Error::DeviceLost { problem, .. }) if losses < MOST_LOSSES => {
                chosen.backend = next(chosen.backend.as_ref())?;
                chosen.why = chosen.backend.device().name.clone();
                let (lost, name) = (problem.trim_end_matches('.'), &chosen.why);
                progress.warning(&format!("{lost}; the sweep is planned again, for {name}"));
            }
            planned => return planned,
        }
        losses += 1;
    }
}

/// A sweep that has begun.
struct Begun<'a> {
    path: &'a Path,
    name: &'a str,
    written: &'a serde_json::Value,
    plan: &'a Plan,
}

/// Runs a sweep; where the device is lost, from the last state on with the next.
fn to_the_end(
    sweep: &mut Sweep,
    begun: &Begun,
    backend: &dyn Backend,
    (folder, from): (SweepFolder, Option<From>),
    shown: &mut Terminal,
) -> Result<Ended> {
    let Begun { path, name, written, plan } = begun;
    let mut held: Option<Box<dyn Backend + Send>> = None;
    let mut place = (folder, from);
    let mut losses = 0;
    loop {
        let device: &dyn Backend = match &held {
            Some(held) => held.as_ref(),
            None => backend,
        };
        let (folder, from) = place;
        let ended = sweep::run(sweep, plan, device, name, folder, from, shown);
        let (problem, next) = match ended {
            Err(Error::DeviceLost { problem, .. }) if losses < MOST_LOSSES => {
                (problem, next(device)?)
            }
            ended => return ended,
        };
        losses += 1;
        let lost = problem.trim_end_matches('.');
        let name = &next.device().name;
        shown.warning(&format!("{lost}; the sweep goes on from its last state on {name}"));
        place = match From::open(path, sweep)? {
            Some((folder, from)) => (folder, Some(from)),
            None => (SweepFolder::create(Some(path), name, true, written)?, None),
        };
        held = Some(next);
    }
}

fn print_folder(path: &Path, ended: &Ended, as_json: bool) -> Result<()> {
    if as_json {
        let mut summary = ended.summary.clone();
        summary["sweep"] = path.to_string_lossy().into();
        return super::print_json(&summary);
    }
    super::print(&format!("{}\n", path.display()))
}

fn show_end(sweep: &Sweep, ended: &Ended, seconds: f64, progress: &Progress) {
    let of = |why: Leave| ended.ranked.iter().filter(|record| record.why == why).count();
    let epochs: usize = ended.ranked.iter().map(|record| record.epochs).sum();
    let what = if ended.interrupted { "interrupted" } else { "done" };
    let mut text = format!(
        "\n{what} after {}: {} of {} trials, {} epochs in all",
        duration(seconds),
        count(ended.ranked.len() as u64),
        count(sweep.trials.len() as u64),
        count(epochs as u64),
    );
    for (why, word) in [(Leave::Stopped, "stopped"), (Leave::Diverged, "diverged")] {
        if of(why) > 0 {
            text.push_str(&format!(", {} {word}", of(why)));
        }
    }
    progress.line(&text);
    if !ended.ranked.is_empty() {
        progress.line(to_text(sweep, &ended.ranked, SHOWN).trim_end());
        progress.line(&in_words(&ended.ranked, &ended.compared));
    }
}

/// Trials that are shown by rank while the sweep goes on.
const LEADERS: usize = 5;

/// Shows a sweep on the terminal: on one, a table of the best so far under a bar.
struct Terminal<'a> {
    progress: Progress,
    bar: Option<ProgressBar>,
    interrupt: &'a AtomicBool,
    ended: usize,
    epochs: u64,
    /// Of each trial that has a value, the best one with its epoch.
    best: BTreeMap<usize, (f64, usize)>,
}

impl<'a> Terminal<'a> {
    fn new(sweep: &Sweep, progress: Progress, interrupt: &'a AtomicBool, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(sweep.trials.len() as u64);
            let template = "{spinner} {pos}/{len} trials {bar:20} {elapsed}  {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.enable_steady_tick(std::time::Duration::from_millis(200));
            bar
        });
        Self { progress, bar, interrupt, ended: 0, epochs: 0, best: BTreeMap::new() }
    }

    fn warning(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.progress.warning(text)),
            None => self.progress.warning(text),
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// The best trials so far, a line each.
    fn leaders(&self, sweep: &Sweep) -> String {
        let mut ranked: Vec<(usize, f64, usize)> =
            self.best.iter().map(|(trial, (value, epoch))| (*trial, *value, *epoch)).collect();
        ranked.sort_by(|a, b| sweep.better.by_rank(a.1, b.1).then(a.0.cmp(&b.0)));
        let line = |(rank, (trial, value, epoch)): (usize, (usize, f64, usize))| {
            let values = sweep.values_in_words(trial);
            format!(
                "\n{:>4}  trial {trial:>4}  {}  epoch {epoch:>4}  {values}",
                rank + 1,
                score(value)
            )
        };
        ranked.into_iter().take(LEADERS).enumerate().map(line).collect()
    }
}

impl Shown for Terminal<'_> {
    fn epoch(
        &mut self,
        sweep: &Sweep,
        epochs: &[(TrialEpoch, f64)],
        training: usize,
        waiting: usize,
    ) -> Result<()> {
        self.epochs += epochs.len() as u64;
        let Some(bar) = &self.bar else { return Ok(()) };
        for (epoch, value) in epochs.iter().filter(|(_, value)| value.is_finite()) {
            let best = self.best.entry(epoch.trial).or_insert((*value, epoch.epoch));
            if sweep.better.is_better(*value, best.0) {
                *best = (*value, epoch.epoch);
            }
        }
        bar.set_message(format!(
            "{training} training, {waiting} waiting, {} epochs{}",
            count(self.epochs),
            self.leaders(sweep)
        ));
        Ok(())
    }

    fn trial(&mut self, sweep: &Sweep, record: &TrialRecord, is_best: bool) -> Result<()> {
        if record.why != Leave::Paused {
            self.ended += 1;
            if let Some(bar) = &self.bar {
                bar.inc(1);
            }
        }
        if is_best {
            let value = record.score.map_or_else(|| "no number".to_owned(), score);
            self.line(&format!(
                "trial {:>4}  {} {value} after {} epochs  {}  best so far ({} of {} ended)",
                record.trial,
                sweep.monitor,
                record.epochs,
                sweep.values_in_words(record.trial),
                self.ended,
                count(sweep.trials.len() as u64),
            ));
        }
        Ok(())
    }

    fn line(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.progress.line(text)),
            None => self.progress.line(text),
        }
    }

    fn advanced(&self, _share: f64) {}

    fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}
