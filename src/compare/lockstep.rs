//! The same steps on every device and in f64: each device trains freely from the same weights, and
//! at the steps that are checked an f64 step is taken from the device's own weights.
//!
//! The two questions are apart. Whether a step is right is asked anew at each, from weights that are
//! the device's own: chaos has no part in it. How far the free runs have come from the f64 run says
//! how chaotic the training is, as does a second f64 run whose every call is rounded.

use std::sync::Arc;
use std::time::Instant;

use super::band::{Band, MORE_SAMPLES, SAMPLES, roundings, worst};
use super::growth;
use super::layout::{Layout, Trace, goes_on};
use super::oracle::{Question, Rounding};
use super::pool::Pool;
use super::result::{DeviceRun, Form, Memory, Outside, ReferenceRun, StepRun};
use super::{Target, Watch};
use crate::backend::{Backend, Executor};
use crate::error::Result;
use crate::program::{Plan, ProgramId};
use crate::train::stepper::{Batch, Carried, Stepper};

/// The longest stride between two checked steps; where time does not allow that, fewer steps are
/// compared.
const LONGEST_STRIDE: u64 = 16;

/// Fewest steps that are compared, however long they take.
const FEWEST_STEPS: u64 = 3;

/// Growth of the drift from one step to the next that has the step checked out of turn.
const SUDDEN: f64 = 8.0;

/// A device's training.
pub(super) struct Side<'a> {
    pub(super) stepper: Stepper<'a>,
    /// The same step call by call.
    apart: Box<dyn Executor>,
    /// What stood on the device before the first step.
    pub(super) start: Arc<Carried>,
    carried: Arc<Carried>,
    pub(super) run: DeviceRun,
}

/// What came of the steps.
pub(super) struct Steps<'a> {
    pub(super) sides: Vec<Side<'a>>,
    pub(super) reference: ReferenceRun,
    pub(super) steps: u64,
    pub(super) checked: u64,
    pub(super) limit: Option<String>,
}

/// What the steps are taken for.
pub(super) struct Wanted {
    pub(super) steps: u64,
    /// Seconds that they may take, about.
    pub(super) seconds: f64,
}

fn mean(losses: &[f64]) -> Option<f64> {
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    mean.is_finite().then_some(mean)
}

fn form(stepper: &Stepper) -> Result<String> {
    let program = stepper.program()?;
    let calls = &stepper.plan().programs[program.0].calls;
    let count = calls.len();
    Ok(if stepper.executor().runs_whole_steps(program) {
        "whole steps, many to a dispatch".to_owned()
    } else if calls.iter().any(|call| call.kernel.is_grouped()) {
        format!("{count} calls a step, gradients and update in one")
    } else {
        format!("{count} calls a step")
    })
}

fn memory(plan: &Plan) -> Memory {
    let own = || plan.buffers.iter().filter(|buffer| buffer.part_of.is_none());
    let largest = own().max_by_key(|buffer| buffer.words);
    Memory {
        bytes: own().map(|buffer| buffer.words * 4).sum(),
        largest: largest.map_or_else(String::new, |buffer| buffer.name.clone()),
        largest_bytes: largest.map_or(0, |buffer| buffer.words * 4),
    }
}

/// Loads the training on every device.
pub(super) fn load<'a>(
    target: &Target<'a>,
    backends: &[&dyn Backend],
) -> Result<(Vec<Side<'a>>, Arc<Layout>)> {
    let mut sides = Vec::new();
    let mut shared: Option<Arc<Layout>> = None;
    for backend in backends {
        let mut stepper =
            Stepper::new(target.settings, target.task, target.dataset.clone(), *backend)?;
        let layout = match &shared {
            Some(layout) => Arc::clone(layout),
            None => {
                let plan = stepper.plan_of_a_batch()?;
                let accumulates = target.settings.training.accumulate > 1;
                Arc::new(Layout::new(plan, stepper.network(), accumulates)?)
            }
        };
        let mut apart = backend.load(&layout.plan)?;
        stepper.tables().upload(&layout.plan, apart.as_mut())?;
        shared = Some(layout);
        let start = Arc::new(stepper.carried()?);
        let device = backend.device();
        sides.push(Side {
            run: DeviceRun {
                name: device.name.clone(),
                backend: device.backend.clone(),
                driver: device.driver.clone(),
                kind: device.kind.clone(),
                form: form(&stepper)?,
                steps: Vec::new(),
                worst: Vec::new(),
                first_outside: None,
                not_finite: None,
                growth: None,
                same_in_one_go: None,
                speed: None,
                memory: memory(stepper.plan()),
            },
            carried: Arc::clone(&start),
            start,
            stepper,
            apart,
        });
    }
    let layout =
        shared.ok_or_else(|| crate::error::Error::usage("there is no device to compare"))?;
    Ok((sides, layout))
}

/// Takes the steps.
pub(super) fn take<'a>(
    mut sides: Vec<Side<'a>>,
    layout: &Arc<Layout>,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Steps<'a>> {
    let devices = sides.len() as u64;
    let most = (devices * (1 + SAMPLES) + 2) as usize;
    let mut pool = Pool::new(layout, &sides[0].stepper.tables(), most)?;
    let mut free = Arc::clone(&sides[0].start);
    let mut rounded = Arc::clone(&free);
    let mut reference = ReferenceRun {
        losses: Vec::new(),
        rounded_drift: Vec::new(),
        rounded_growth: None,
        step_seconds: 0.0,
        not_finite: None,
    };
    let begun = Instant::now();
    let (mut steps, mut stride, mut limit) = (wanted.steps, 1, None);
    let (mut taken, mut diverged) = (0, false);
    // The first epoch's last batch may be short.
    let epoch_batches = sides[0].stepper.epoch_batches() as u64;
    while taken < steps && (taken == 0 || !watch.interrupted()) {
        let step = taken + 1;
        watch.step(step, steps);
        let is_checked = step <= 2
            || step == steps
            || step == epoch_batches
            || (step - 1).is_multiple_of(stride);
        let mut batches = Vec::new();
        for side in &mut sides {
            batches.push(Arc::new(side.stepper.next_batch()?));
        }
        let batch = &batches[0];
        let ask = |carried: &Arc<Carried>, rounding| Question {
            batch: Arc::clone(batch),
            carried: Arc::clone(carried),
            rounding,
        };
        let asked_at = Instant::now();
        pool.ask(ask(&free, None))?;
        pool.ask(ask(&rounded, Some(Rounding::Likely(step))))?;
        let going: Vec<bool> = sides.iter().map(|side| side.run.not_finite.is_none()).collect();
        let befores: Vec<Arc<Carried>> = sides.iter().map(|s| Arc::clone(&s.carried)).collect();
        let checks: Vec<bool> = going.iter().map(|going| *going && is_checked).collect();
        for (before, _) in befores.iter().zip(&checks).filter(|(_, checks)| **checks) {
            pool.ask(ask(before, None))?;
            for rounding in roundings(step, 0..SAMPLES) {
                pool.ask(ask(before, Some(rounding)))?;
            }
        }
        let questions = 2 + checks.iter().filter(|checks| **checks).count() as u64 * (1 + SAMPLES);
        let mut losses = Vec::new();
        for (side, _) in sides.iter_mut().zip(&going).filter(|(_, going)| **going) {
            losses.push(side.stepper.take_step()?);
            side.carried = Arc::new(side.stepper.carried()?);
        }
        let mut answers = pool.answers()?.into_iter();
        let waited = asked_at.elapsed().as_secs_f64();
        let mut next = || answers.next().ok_or_else(|| crate::error::Error::internal("no answer"));
        let (exact, likely) = (next()?, next()?);
        if !exact.goes_on() {
            reference.not_finite = Some(step);
        }
        reference.losses.push(mean(&exact.losses));
        reference.rounded_drift.push(drift(layout, &layout.carried(&likely), &exact));
        let mut losses = losses.into_iter();
        let mut of_devices = Vec::new();
        for ((side, checks), going) in sides.iter_mut().zip(&checks).zip(&going) {
            let mut bands = None;
            if *checks {
                let own = next()?;
                let mut band = Band::default();
                for _ in 0..SAMPLES {
                    band.widen(layout, &next()?, &own, batch.rows);
                }
                bands = Some((own, band));
            }
            if *going {
                let losses = losses.next().unwrap_or_default();
                let away = drift(layout, &side.carried, &exact).min(f64::MAX);
                side.run.steps.push(StepRun {
                    step,
                    loss: mean(&losses),
                    drift: away,
                    checks: Vec::new(),
                });
                of_devices.push((losses, bands));
            } else {
                of_devices.push((Vec::new(), None));
            }
        }
        for ((side, before), (losses, bands)) in sides.iter_mut().zip(&befores).zip(of_devices) {
            if side.run.not_finite.is_some() {
                continue;
            }
            let bands = match bands {
                None if is_sudden(&side.run) || !goes_on(side.stepper.states()) => {
                    Some(band_of(&mut pool, layout, batch, before, step)?)
                }
                bands => bands,
            };
            let Some(bands) = bands else { continue };
            if !bands.0.goes_on() {
                // The training's fault, not the device's.
                diverged = true;
                continue;
            }
            check(side, &mut pool, layout, batch, before, losses, bands)?;
            if !goes_on(side.stepper.states()) {
                side.run.not_finite = Some(step);
            }
        }
        free = Arc::new(layout.carried(&exact));
        rounded = Arc::new(layout.carried(&likely));
        taken = step;
        diverged |= reference.not_finite.is_some();
        if diverged || sides.iter().all(|s| s.run.not_finite.is_some()) {
            break;
        }
        if step == 2 {
            reference.step_seconds =
                waited * pool.threads.min(questions as usize) as f64 / questions as f64;
            let seconds = reference.step_seconds / pool.threads as f64;
            let free_seconds = 2.0 * seconds;
            let check_seconds = (devices * (1 + SAMPLES)) as f64 * seconds;
            let of_stride = |stride: u64| free_seconds + check_seconds / stride as f64;
            let allowed = wanted.seconds / steps as f64;
            stride = (1..=LONGEST_STRIDE)
                .find(|stride| of_stride(*stride) <= allowed)
                .unwrap_or(LONGEST_STRIDE);
            let affordable = (wanted.seconds / of_stride(stride)) as u64;
            if affordable < steps {
                steps = affordable.max(FEWEST_STEPS).min(steps);
                limit = Some(format!(
                    "a step in f64 takes {}, so {steps} steps are compared",
                    crate::report::duration(reference.step_seconds)
                ));
            }
        }
        if taken >= FEWEST_STEPS && begun.elapsed().as_secs_f64() > 1.5 * wanted.seconds {
            limit = Some(format!("time was up after {taken} steps"));
            break;
        }
    }
    if diverged {
        reference.not_finite = Some(taken);
        limit = Some(format!("the training diverges at step {taken}, in f64 as well"));
    }
    reference.rounded_growth = growth::fit(&reference.rounded_drift);
    for side in &mut sides {
        let drift: Vec<f64> = side.run.steps.iter().map(|step| step.drift).collect();
        side.run.growth = growth::fit(&drift);
        side.run.worst = worst(side.run.steps.iter().flat_map(|step| &step.checks));
    }
    let with_checks = |side: &Side| side.run.steps.iter().filter(|s| !s.checks.is_empty()).count();
    let checked = sides.iter().map(with_checks).max().unwrap_or(0) as u64;
    Ok(Steps { sides, reference, steps: taken, checked, limit })
}

/// How far weights are from those of the f64 run.
fn drift(layout: &Layout, found: &Carried, exact: &Trace) -> f64 {
    let wanted = layout.carried(exact);
    let (mut apart, mut whole) = (0.0, 0.0);
    for (f, w) in found.reals[0].iter().zip(&wanted.reals[0]) {
        apart += (f - w) * (f - w);
        whole += w * w;
    }
    let drift: f64 = (apart / f64::max(whole, f64::MIN_POSITIVE)).sqrt();
    if drift.is_nan() { f64::INFINITY } else { drift }
}

/// Whether the last step moved the weights away from the f64 run all at once.
fn is_sudden(run: &DeviceRun) -> bool {
    match run.steps.as_slice() {
        [.., before, last] => last.drift > 1e-6 && last.drift > SUDDEN * before.drift,
        _ => false,
    }
}

/// An f64 step from a device's own weights, and its band.
fn band_of(
    pool: &mut Pool,
    layout: &Layout,
    batch: &Arc<Batch>,
    before: &Arc<Carried>,
    step: u64,
) -> Result<(Trace, Band)> {
    let ask =
        |rounding| Question { batch: Arc::clone(batch), carried: Arc::clone(before), rounding };
    pool.ask(ask(None))?;
    for rounding in roundings(step, 0..SAMPLES) {
        pool.ask(ask(Some(rounding)))?;
    }
    let mut answers = pool.answers()?.into_iter();
    let exact = answers.next().ok_or_else(|| crate::error::Error::internal("no answer"))?;
    let mut band = Band::default();
    for rounded in answers {
        band.widen(layout, &rounded, &exact, batch.rows);
    }
    Ok((exact, band))
}

/// Holds a device's step, in both its forms, to the f64 step from the same weights.
fn check(
    side: &mut Side,
    pool: &mut Pool,
    layout: &Layout,
    batch: &Arc<Batch>,
    before: &Arc<Carried>,
    losses: Vec<f64>,
    (exact, mut band): (Trace, Band),
) -> Result<()> {
    layout.upload(batch, before, side.apart.as_mut())?;
    side.apart.run_each_call(ProgramId(0))?;
    let apart = layout.trace(batch, side.apart.as_mut())?;
    let trained = layout.trace_of(&side.carried, losses, side.stepper.states());
    let gaps = |band: &Band| {
        let apart = band.gaps(layout, &apart, &exact, batch.rows, |_| true);
        let left = band.gaps(layout, &trained, &exact, batch.rows, Layout::is_left_behind);
        [(Form::CallByCall, apart), (Form::AsTrained, left)]
    };
    let is_out = |forms: &[(Form, Vec<super::result::Gap>); 2]| {
        forms.iter().flat_map(|(_, gaps)| gaps).any(|gap| gap.of_band > 1.0)
    };
    let step = batch.number;
    let mut forms = gaps(&band);
    if is_out(&forms) && side.run.first_outside.is_none() {
        for rounding in roundings(step, SAMPLES..SAMPLES + MORE_SAMPLES) {
            pool.ask(Question {
                batch: Arc::clone(batch),
                carried: Arc::clone(before),
                rounding: Some(rounding),
            })?;
        }
        for rounded in pool.answers()? {
            band.widen(layout, &rounded, &exact, batch.rows);
        }
        forms = gaps(&band);
    }
    if side.run.first_outside.is_none() {
        let mut all = forms.iter().flat_map(|(form, gaps)| gaps.iter().map(move |gap| (form, gap)));
        side.run.first_outside = all
            .find(|(_, gap)| gap.of_band > 1.0)
            .map(|(form, gap)| Outside { step, form: *form, gap: gap.clone() });
    }
    if let Some(last) = side.run.steps.last_mut() {
        last.checks = worst(forms.iter().flat_map(|(_, gaps)| gaps));
    }
    Ok(())
}
