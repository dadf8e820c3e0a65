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
use super::layout::{Layout, Tensor, Trace, goes_on};
use super::oracle::{Question, Rounding};
use super::pacing::Pacing;
use super::pool::Pool;
use super::result::{DeviceRun, Form, Gap, Memory, Outside, ReferenceRun, StepRun};
use super::{Target, Watch};
use crate::backend::{Backend, Executor};
use crate::error::{Error, Result};
use crate::program::{Plan, ProgramId};
use crate::train::batch::{Batch, Carried};
use crate::train::stepper::Stepper;

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
    let layout = shared.ok_or_else(|| Error::usage("there is no device to compare"))?;
    Ok((sides, layout))
}

/// The steps on their way.
struct Course<'a> {
    layout: &'a Layout,
    pool: Pool,
    /// Where the f64 run stands.
    free: Arc<Carried>,
    /// Where the rounded f64 run stands.
    rounded: Arc<Carried>,
    reference: ReferenceRun,
}

/// An f64 step from a device's own weights, and how far rounding may take one from it.
struct Own {
    exact: Trace,
    band: Band,
}

/// Takes the steps.
pub(super) fn take<'a>(
    mut sides: Vec<Side<'a>>,
    layout: &Arc<Layout>,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Steps<'a>> {
    let devices = sides.len();
    let most = devices * (1 + SAMPLES as usize) + 2;
    let start = &sides[0].start;
    let mut course = Course {
        layout,
        pool: Pool::new(layout, &sides[0].stepper.tables(), most)?,
        free: Arc::clone(start),
        rounded: Arc::clone(start),
        reference: ReferenceRun {
            losses: Vec::new(),
            rounded_drift: Vec::new(),
            rounded_growth: None,
            step_seconds: 0.0,
            not_finite: None,
        },
    };
    let epoch = sides[0].stepper.epoch_batches() as u64;
    let mut pacing = Pacing::new(wanted.steps, wanted.seconds, devices as u64, epoch);
    let mut taken = 0;
    while taken < pacing.steps && (taken == 0 || !watch.interrupted()) {
        taken += 1;
        watch.step(taken, pacing.steps);
        let diverged = course.step(&mut sides, taken, pacing.checks(taken))?;
        if diverged {
            course.reference.not_finite = Some(taken);
            pacing.limit = Some(format!("the training diverges at step {taken}, in f64 as well"));
        }
        if diverged || sides.iter().all(|side| side.run.not_finite.is_some()) {
            break;
        }
        pacing.learn(taken, course.reference.step_seconds, course.pool.threads);
        if pacing.is_over(taken) {
            break;
        }
    }
    let mut reference = course.reference;
    reference.rounded_growth = growth::fit(&reference.rounded_drift);
    for side in &mut sides {
        let drift: Vec<f64> = side.run.steps.iter().map(|step| step.drift).collect();
        side.run.growth = growth::fit(&drift);
        side.run.worst = worst(side.run.steps.iter().flat_map(|step| &step.checks));
    }
    let checked = |side: &Side| side.run.steps.iter().filter(|s| !s.checks.is_empty()).count();
    let checked = sides.iter().map(checked).max().unwrap_or(0) as u64;
    Ok(Steps { sides, reference, steps: taken, checked, limit: pacing.limit })
}

impl Course<'_> {
    /// Takes a step on every device that goes on, and in f64; returns whether the training itself
    /// diverges at it.
    fn step(&mut self, sides: &mut [Side], step: u64, is_checked: bool) -> Result<bool> {
        let mut batches = Vec::new();
        for side in sides.iter_mut() {
            batches.push(Arc::new(side.stepper.next_batch()?));
        }
        let batch = &batches[0];
        let befores: Vec<Arc<Carried>> = sides.iter().map(|s| Arc::clone(&s.carried)).collect();
        let going: Vec<usize> =
            (0..sides.len()).filter(|at| sides[*at].run.not_finite.is_none()).collect();

        // The oracles work while the devices do.
        let asked_at = Instant::now();
        let (free, rounded) = (Arc::clone(&self.free), Arc::clone(&self.rounded));
        self.ask(batch, &free, None)?;
        self.ask(batch, &rounded, Some(Rounding::Likely(step)))?;
        if is_checked {
            for at in &going {
                self.ask(batch, &befores[*at], None)?;
            }
        }
        let mut losses = vec![Vec::new(); sides.len()];
        for at in &going {
            let side = &mut sides[*at];
            losses[*at] = side.stepper.take_step()?;
            side.carried = Arc::new(side.stepper.carried()?);
        }
        let mut answers = self.pool.answers()?;
        let in_turn = answers.len().div_ceil(self.pool.threads);
        self.reference.step_seconds = asked_at.elapsed().as_secs_f64() / in_turn as f64;
        let mut own: Vec<Option<Trace>> = vec![None; sides.len()];
        if is_checked {
            for (at, exact) in going.iter().zip(answers.split_off(2)) {
                own[*at] = Some(exact);
            }
        }
        let (Some(likely), Some(exact)) = (answers.pop(), answers.pop()) else {
            return Err(Error::internal("the oracles have not answered"));
        };

        let layout = self.layout;
        self.reference.losses.push(mean(&exact.losses));
        self.reference.rounded_drift.push(drift(layout, &layout.carried(&likely), &exact));
        let mut diverged = !exact.goes_on();
        for at in going {
            let side = &mut sides[at];
            side.run.steps.push(StepRun {
                step,
                loss: mean(&losses[at]),
                drift: drift(layout, &side.carried, &exact),
                checks: Vec::new(),
            });
            let goes_on = goes_on(side.stepper.states());
            let own = match own[at].take() {
                // Out of turn: something happened.
                None if is_sudden(&side.run) || !goes_on => {
                    self.ask(batch, &befores[at], None)?;
                    self.pool.answers()?.pop()
                }
                own => own,
            };
            let Some(own) = own else { continue };
            if !own.goes_on() {
                // It diverges from the device's own weights in f64, which is no fault of the device.
                diverged = true;
                continue;
            }
            let losses = std::mem::take(&mut losses[at]);
            self.check(side, batch, &befores[at], own, losses)?;
            if !goes_on {
                side.run.not_finite = Some(step);
            }
        }
        self.free = Arc::new(layout.carried(&exact));
        self.rounded = Arc::new(layout.carried(&likely));
        Ok(diverged)
    }

    fn ask(
        &mut self,
        batch: &Arc<Batch>,
        carried: &Arc<Carried>,
        rounding: Option<Rounding>,
    ) -> Result<()> {
        let (batch, carried) = (Arc::clone(batch), Arc::clone(carried));
        self.pool.ask(Question { batch, carried, rounding })
    }

    /// Widens the band by some rounded steps; no more at once than there are oracles, since each
    /// answer holds every tensor.
    fn widen(
        &mut self,
        own: &mut Own,
        batch: &Arc<Batch>,
        before: &Arc<Carried>,
        samples: std::ops::Range<u64>,
    ) -> Result<()> {
        let roundings: Vec<Rounding> = roundings(batch.number, samples).collect();
        for some in roundings.chunks(self.pool.threads) {
            for rounding in some {
                self.ask(batch, before, Some(*rounding))?;
            }
            for rounded in self.pool.answers()? {
                own.band.widen(self.layout, &rounded, &own.exact, batch.rows);
            }
        }
        Ok(())
    }

    /// Holds a device's step, in both its forms, to the f64 step from the same weights.
    fn check(
        &mut self,
        side: &mut Side,
        batch: &Arc<Batch>,
        before: &Arc<Carried>,
        exact: Trace,
        losses: Vec<f64>,
    ) -> Result<()> {
        let layout = self.layout;
        let mut own = Own { exact, band: Band::default() };
        self.widen(&mut own, batch, before, 0..SAMPLES)?;
        layout.upload(batch, before, side.apart.as_mut())?;
        side.apart.run_each_call(ProgramId(0))?;
        let apart = layout.trace(batch, side.apart.as_mut())?;
        let trained = layout.trace_of(&side.carried, losses, side.stepper.states());
        let gaps = |own: &Own| -> Vec<(Form, Gap)> {
            let of = |found: &Trace, which: fn(&Tensor) -> bool| {
                own.band.gaps(layout, found, &own.exact, batch.rows, which)
            };
            let apart = of(&apart, |_| true).into_iter().map(|gap| (Form::CallByCall, gap));
            let trained = of(&trained, Tensor::is_left_behind).into_iter();
            apart.chain(trained.map(|gap| (Form::AsTrained, gap))).collect()
        };
        let mut all = gaps(&own);
        let is_out = |(_, gap): &&(Form, Gap)| gap.of_band > 1.0;
        if side.run.first_outside.is_none() && all.iter().any(|one| is_out(&one)) {
            self.widen(&mut own, batch, before, SAMPLES..SAMPLES + MORE_SAMPLES)?;
            all = gaps(&own);
            side.run.first_outside = all.iter().find(is_out).map(|(form, gap)| Outside {
                step: batch.number,
                form: *form,
                gap: gap.clone(),
            });
        }
        if let Some(last) = side.run.steps.last_mut() {
            last.checks = worst(all.iter().map(|(_, gap)| gap));
        }
        Ok(())
    }
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
    // JSON has no infinity.
    drift.min(f64::MAX)
}

/// Whether the last step moved the weights away from the f64 run all at once.
fn is_sudden(run: &DeviceRun) -> bool {
    match run.steps.as_slice() {
        [.., before, last] => last.drift > 1e-6 && last.drift > SUDDEN * before.drift,
        _ => false,
    }
}
