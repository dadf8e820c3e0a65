//! The learning-rate range test: the loss of each batch while the rate rises exponentially, and
//! which rates that speaks for.
//!
//! Sources: Smith, "Cyclical learning rates for training neural networks", 2017; the smoothing, the
//! end at four times the best loss and the suggestions are those of fast.ai's `lr_find`.

use super::run::Run;
use super::{Observer, RunAhead};
use crate::backend::Backend;
use crate::catalog::schedule::{self, ScheduleSettings};
use crate::config::{Settings, TaskSettings};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::program::NONE;

/// Share of the smoothed loss that a batch leaves as it was.
const SMOOTHING: f64 = 0.98;

/// Times the best smoothed loss at which the sweep ends.
const DIVERGED: f64 = 4.0;

/// Steps of the shortest sweep.
pub const FEWEST_STEPS: usize = 10;

/// Which rates are tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sweep {
    /// The first rate.
    pub from: f64,
    /// The last rate, above the first.
    pub to: f64,
    /// How many, [`FEWEST_STEPS`] or more.
    pub steps: usize,
}

impl Sweep {
    /// The rate of a step, from 0.
    pub fn rate(&self, step: usize) -> f64 {
        let share = step as f64 / (self.steps - 1) as f64;
        self.from * (self.to / self.from).powf(share)
    }
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// At the last rate.
    End,
    /// The loss rose above four times its best, or was no number.
    Diverged,
    /// The user interrupted it.
    Interrupted,
}

/// What came of a sweep.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RangeTest {
    /// The rates tried.
    pub rates: Vec<f64>,
    /// The loss of each step's batch, before its update.
    pub losses: Vec<f64>,
    /// The same, smoothed.
    pub smoothed: Vec<f64>,
    /// What the curve speaks for.
    pub suggestions: Suggestions,
    /// How it ended.
    pub stopped: End,
    /// Steps taken.
    pub steps: usize,
}

/// Rates that a curve speaks for; none where it does not fall.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Suggestions {
    /// Where the smoothed loss falls steepest by the logarithm of the rate.
    pub steepest: Option<f64>,
    /// Half-way down the middle of the longest run of falling losses.
    pub valley: Option<f64>,
    /// A tenth of the rate of the least smoothed loss.
    pub minimum_over_10: Option<f64>,
}

impl RangeTest {
    /// Smooths the losses, cuts them where they diverge, and reads the curve.
    pub fn of(rates: Vec<f64>, losses: Vec<f64>, ended: End) -> Self {
        let mut smoothed = Vec::with_capacity(losses.len());
        let mut average = 0.0;
        let mut best = f64::INFINITY;
        let mut stopped = ended;
        for (step, loss) in losses.iter().enumerate() {
            average = SMOOTHING * average + (1.0 - SMOOTHING) * loss;
            // Without the correction the first values would lean towards 0.
            let value: f64 = average / (1.0 - SMOOTHING.powi(step as i32 + 1));
            // A loss below 0 has no multiple that is worse.
            if !value.is_finite() || (best > 0.0 && value > DIVERGED * best) {
                stopped = End::Diverged;
                break;
            }
            best = best.min(value);
            smoothed.push(value);
        }
        let steps = smoothed.len();
        let rates = rates[..steps].to_vec();
        let suggestions = suggestions(&rates, &smoothed);
        Self { losses: losses[..steps].to_vec(), rates, smoothed, suggestions, stopped, steps }
    }
}

/// fast.ai's suggestions. The first tenth of the curve, where the smoothing settles, and the last
/// five points are left out.
fn suggestions(rates: &[f64], losses: &[f64]) -> Suggestions {
    let (first, last) = (rates.len() / 10, rates.len().saturating_sub(5));
    if last < first + 3 {
        return Suggestions::default();
    }
    let (rates, losses) = (&rates[first..last], &losses[first..last]);
    let lowest = losses.iter().fold(f64::INFINITY, |least, loss| least.min(*loss));
    // Rounding alone is no fall.
    if losses[0] - lowest <= 1e-3 * losses[0].abs() {
        return Suggestions::default();
    }
    let least = |values: &[f64]| {
        (1..values.len()).fold(0, |best, i| if values[i] < values[best] { i } else { best })
    };
    let slopes: Vec<f64> = (1..rates.len())
        .map(|i| (losses[i] - losses[i - 1]) / (rates[i] / rates[i - 1]).ln())
        .collect();
    Suggestions {
        steepest: Some(rates[least(&slopes)]),
        valley: Some(rates[valley(losses)]),
        minimum_over_10: Some(rates[least(losses)] / 10.0),
    }
}

/// The place in the middle third of the longest falling subsequence, as fast.ai's `valley`.
fn valley(losses: &[f64]) -> usize {
    let mut lengths = vec![1_usize; losses.len()];
    let (mut start, mut end) = (0, 0);
    for i in 1..losses.len() {
        for j in 0..i {
            if losses[i] < losses[j] && lengths[i] < lengths[j] + 1 {
                lengths[i] = lengths[j] + 1;
            }
            if lengths[end] < lengths[i] {
                end = i;
                start = end.saturating_sub(lengths[end]);
            }
        }
    }
    let section = (end - start) as f64 / 3.0;
    (start + section as usize + (section / 2.0) as usize).min(losses.len() - 1)
}

/// Sweeps the rate over training steps of the settings' network, data and optimizer; of several
/// members the first, of heads that share weights all as one. Its schedule, early stopping and
/// averages are left aside; nothing is kept.
///
/// # Errors
/// Those of [`super::fit`]; a sweep that makes no sense; a loss that is no number from the first
/// step on.
pub fn range_test(
    settings: &Settings,
    task: &TaskSettings,
    dataset: Dataset,
    backend: &dyn Backend,
    sweep: Sweep,
    observer: &dyn Observer,
) -> Result<RangeTest> {
    if sweep.steps < FEWEST_STEPS {
        return Err(Error::usage(format!("--steps {}: too few to read a curve", sweep.steps))
            .with_help(format!("{FEWEST_STEPS} or more; 100 is usual")));
    }
    if !(sweep.from > 0.0 && sweep.from < sweep.to && (sweep.to as f32).is_finite()) {
        let found = format!("--from {} --to {}", sweep.from, sweep.to);
        return Err(Error::usage(format!(
            "{found}: expected rates above 0, the first below the last"
        ))
        .with_help("for example --from 1e-7 --to 10"));
    }
    let mut settings = settings.clone();
    let heads = settings.model.heads;
    settings.members = heads;
    settings.early_stopping = None;
    settings.log_every_steps = 0;
    settings.training.average = None;
    settings.training.accumulate = 1;
    let convention = settings.optimizer.convention;
    let base = settings.optimizer.hyperparameters.learning_rate;
    let constant = schedule::find("constant")
        .ok_or_else(|| Error::internal("there is no constant schedule"))?;
    settings.schedule = ScheduleSettings::new(constant, convention, base, false);
    let mut task = task.clone();
    task.metrics.clear();
    task.monitor = None;
    task.plateau_monitor = None;
    let dataset = Dataset { validation: None, test: None, ..dataset };
    let mut run = Run::new(&settings, &task, dataset, backend, RunAhead::Never, false)?;

    let mut losses: Vec<f64> = Vec::with_capacity(sweep.steps);
    let mut ended = End::End;
    let mut number = 0;
    while losses.len() < sweep.steps {
        number += 1;
        let mut epoch = run.prepare_epoch(number);
        for (within, heads) in epoch.table.steps.chunks_exact_mut(heads).enumerate() {
            let rate = sweep.rate((losses.len() + within).min(sweep.steps - 1));
            heads.iter_mut().for_each(|step| step.learning_rate = rate);
        }
        let batches = run.train.batches.steps().min(sweep.steps - losses.len());
        let interrupted = run.queue_batches(&epoch, batches, false, &|_| observer.interrupted())?;
        let wanted = run.wanted_of_epoch(false)?;
        let read = run.executor.read(&wanted)?;
        let read = run.epoch_read(read)?;
        run.states = read.states;
        for (head, state) in run.states.iter_mut().enumerate() {
            state.settle(|row| epoch.table.steps[row * heads + head].step);
        }
        let reached = run.states.iter().map(|state| state.cursor as usize).min().unwrap_or(0);
        let (log, width) = (&read.train.log, run.plan.log_width);
        let of_head = |at: usize| log[at * width] / epoch.table.divisors[at];
        let mean = |batch: usize| {
            let of_heads = (0..heads).map(|head| of_head(batch * heads + head));
            of_heads.sum::<f64>() / heads as f64
        };
        losses.extend((0..reached.min(batches)).map(mean));
        if interrupted {
            ended = End::Interrupted;
            break;
        }
        if run.states.iter().any(|state| state.bad_step != NONE) {
            ended = End::Diverged;
            break;
        }
    }
    if losses.is_empty() && ended == End::Diverged {
        return Err(Error::usage("the loss is not a number from the first step on").with_help(
            "scale the data (data.scaling), or use a gentler init: no learning rate helps here",
        ));
    }
    let rates = (0..losses.len()).map(|step| sweep.rate(step)).collect();
    Ok(RangeTest::of(rates, losses, ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loss that falls between two rates, steepest half-way, and rises above a third.
    fn curve(rate: f64) -> f64 {
        let x = rate.log10();
        let falls = 1.0 / (1.0 + (3.0 * (x + 3.0)).exp());
        0.1 + falls + if x > -1.0 { (4.0 * (x + 1.0)).exp() - 1.0 } else { 0.0 }
    }

    fn swept(loss: impl Fn(f64) -> f64) -> RangeTest {
        let sweep = Sweep { from: 1e-7, to: 10.0, steps: 400 };
        let rates: Vec<f64> = (0..400).map(|step| sweep.rate(step)).collect();
        let losses = rates.iter().map(|rate| loss(*rate)).collect();
        RangeTest::of(rates, losses, End::End)
    }

    #[test]
    fn the_rates_rise_exponentially_from_end_to_end() {
        let sweep = Sweep { from: 1e-6, to: 1.0, steps: 13 };
        assert_eq!(sweep.rate(0), 1e-6);
        assert!((sweep.rate(12) - 1.0).abs() < 1e-12);
        assert!((sweep.rate(6) / 1e-3 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn suggestions_lie_where_the_loss_falls() {
        let test = swept(curve);
        assert_eq!(test.stopped, End::Diverged);
        assert!(test.steps < 400 && test.rates.len() == test.steps);
        // The smoothing lags about 50 of 50 steps a decade behind: by less than a decade and a half.
        for rate in [test.suggestions.steepest, test.suggestions.valley] {
            let rate = rate.expect("a falling curve has one");
            assert!((1e-4..0.1).contains(&rate), "{rate}");
        }
        let least = test.suggestions.minimum_over_10.expect("one");
        assert!((1e-3..0.1).contains(&least), "{least}");
    }

    #[test]
    fn a_curve_that_does_not_fall_has_no_suggestion() {
        let flat = swept(|_| 0.7);
        assert_eq!((flat.suggestions, flat.stopped), (Suggestions::default(), End::End));
        assert_eq!(swept(|rate| 1.0 + rate).suggestions, Suggestions::default());
        let short = RangeTest::of(vec![1.0, 2.0], vec![0.5, f64::NAN], End::End);
        assert_eq!((short.steps, short.stopped), (1, End::Diverged));
    }

    /// Smoothed as fast.ai does it, by hand for three losses.
    #[test]
    fn smoothing_corrects_its_start() {
        let test = RangeTest::of(vec![1.0, 2.0, 3.0], vec![1.0, 2.0, 4.0], End::End);
        let second = (0.98 * 0.02 + 0.02 * 2.0) / (1.0 - 0.98 * 0.98);
        assert!((test.smoothed[0] - 1.0).abs() < 1e-12);
        assert!((test.smoothed[1] - second).abs() < 1e-12);
    }

    #[test]
    fn the_valley_is_the_longest_falling_run() {
        // Rises, then falls for nine of them.
        let losses: Vec<f64> =
            (0..5).map(f64::from).chain((0..9).map(|i| 9.0 - f64::from(i))).collect();
        let at = valley(&losses);
        assert!((5..12).contains(&at), "{at}");
    }
}
