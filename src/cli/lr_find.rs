//! `wgfit lr-find`: the learning-rate range test of a config.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::gpu::GpuOptions;
use crate::config::Config;
use crate::data;
use crate::disk::write_atomically;
use crate::error::Result;
use crate::report::{as_svg, in_terminal};
use crate::train::Observer;
use crate::train::range_test::{End, RangeTest, Sweep, range_test};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The config: JSON, `//` comments allowed
    config: PathBuf,
    /// Config keys to override, such as training.batch_size=256
    #[arg(value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    device: super::Device,
    /// The first learning rate
    #[arg(long, default_value_t = 1e-7)]
    from: f64,
    /// The last learning rate
    #[arg(long, default_value_t = 10.0)]
    to: f64,
    /// Steps from the first to the last; past the last row the next epoch begins
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// Draw the curve as an SVG file
    #[arg(long, value_name = "FILE.svg")]
    out: Option<PathBuf>,
    /// Cut matrix products up as is usual for the kind of adapter, without measuring at the first use
    #[arg(long)]
    no_tune: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Knows of nothing but Ctrl-C.
struct Watch(Arc<AtomicBool>);

impl Observer for Watch {
    fn interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = Config::load(&arguments.config, &arguments.overrides)?;
    let mut settings = config.validate(arguments.config.parent().unwrap_or(Path::new("")))?;
    let precision = settings.training.precision;
    let options = GpuOptions { tunes: !arguments.no_tune, ..GpuOptions::default() };
    let (chosen, dataset) =
        arguments.device.during(options, precision, || data::load(&settings.data));
    let dataset = dataset.map_err(|error| settings.locate(error))?;
    let dataset = super::first_fold(dataset, &mut settings)?;
    let task = settings.fit_task(dataset.preprocessing.task())?;
    let chosen = chosen?;
    crate::report::say(&format!("device  {}", chosen.why));
    if settings.members > 1 {
        crate::report::say(&format!("members: the first of {} is tested", settings.members));
    }
    let interrupt = Arc::new(AtomicBool::new(false));
    super::watch_for_interrupts(&interrupt)?;
    let sweep = Sweep { from: arguments.from, to: arguments.to, steps: arguments.steps };
    let watch = Watch(interrupt);
    let backend = chosen.backend.as_ref();
    let test = range_test(&settings, &task, dataset, backend, sweep, &watch)?;
    if let Some(file) = &arguments.out {
        write_atomically(file, as_svg(&test)?.as_bytes())?;
        crate::report::say(&format!("curve   {}", file.display()));
    }
    if arguments.json {
        super::print_json(&serde_json::json!(test))?;
    } else {
        super::print(&summary(&test))?;
    }
    Ok(match test.stopped {
        End::Interrupted => ExitCode::from(super::INTERRUPTED),
        End::End | End::Diverged => ExitCode::SUCCESS,
    })
}

/// What a person reads of it.
fn summary(test: &RangeTest) -> String {
    let mut text = in_terminal(test);
    let last = test.rates.last().copied().unwrap_or_default();
    let ended = match test.stopped {
        End::End => "to the end".to_owned(),
        End::Diverged => format!("until the loss diverged at {last:.1e}"),
        End::Interrupted => format!("until it was interrupted at {last:.1e}"),
    };
    text.push_str(&format!("\n{} steps, {ended}\n", test.steps));
    let (Some(steepest), Some(valley)) = (test.suggestions.steepest, test.suggestions.valley)
    else {
        text.push_str(
            "the loss does not fall: try more steps, a higher --to, or look at the data\n",
        );
        return text;
    };
    text.push_str(&format!("steepest descent  {steepest:.1e}\n"));
    text.push_str(&format!("valley            {valley:.1e}\n"));
    if let Some(tenth) = test.suggestions.minimum_over_10 {
        text.push_str(&format!("minimum / 10      {tenth:.1e}\n"));
    }
    text.push_str(&format!("\ntry optimizer.learning_rate={valley:.1e}\n"));
    text
}
