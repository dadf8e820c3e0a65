//! What a training step is made of, and how long each part takes beside the least that it could.

use serde::Serialize;

use super::ahead::RunAhead;
use super::rates::{Rates, measure_rates, median, repeated};
use super::run::Run;
use crate::backend::{Backend, CallForm, Capacity, DeviceDescription, Executor};
use crate::config::{Settings, TaskSettings};
use crate::data::Dataset;
use crate::error::Result;
use crate::program::{Call, Cost, MemberState, Plan, Precision, Program, ProgramId, Shape};

/// The program of a training step, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Its name.
    pub program: String,
    /// Layer widths, such as `784-128-10`.
    pub network: String,
    /// Parameters of one network.
    pub parameters: usize,
    /// M.
    pub members: usize,
    /// Of these, how many are the heads of one network.
    pub heads: usize,
    /// Rows of a batch.
    pub rows: usize,
    /// What data, activations and their gradients are stored in.
    pub precision: Precision,
    /// What it runs on.
    pub device: DeviceDescription,
    /// Whether its steps are run whole, many to a dispatch, in place of the calls.
    pub whole_steps: bool,
    /// Its calls, in their order.
    pub calls: Vec<ExplainedCall>,
    /// What all calls cost.
    pub total: Cost,
    /// What the device reaches, where it was measured.
    pub rates: Option<Rates>,
    /// How long a step takes, where it was measured.
    pub step: Option<StepTime>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedCall {
    /// The kernel.
    pub kernel: &'static str,
    /// What it is about.
    pub subject: String,
    /// How large it is, for one member.
    #[serde(flatten)]
    pub shape: Shape,
    /// How the device cuts it up.
    #[serde(flatten)]
    pub form: CallForm,
    /// What it costs, all members counted.
    #[serde(flatten)]
    pub cost: Cost,
    /// Which buffer each of its bindings is.
    pub buffers: Vec<BoundBuffer>,
    /// How long it takes by itself, where it was measured.
    pub seconds: Option<f64>,
    /// The least it could take at the rates measured.
    pub floor_seconds: Option<f64>,
}

/// One binding of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundBuffer {
    /// The binding's name in the kernel.
    pub binding: &'static str,
    /// The buffer's name in the plan.
    pub buffer: String,
    /// Whether the kernel writes it.
    pub written: bool,
}

/// How long a step takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepTime {
    /// Seconds of a step among many in one go, as in training.
    pub seconds: f64,
    /// Rows a second, all members counted.
    pub samples_per_second: f64,
    /// Seconds of its calls, one by one.
    pub calls_seconds: f64,
    /// The floors of its calls, added up.
    pub floor_seconds: f64,
    /// The time of all its operations at the rate of a large product.
    pub product_seconds: f64,
}

/// A backend that loads beside each training program its calls as programs of their own, so that
/// each can be timed by itself.
struct Dissecting<'a>(&'a dyn Backend);

impl Backend for Dissecting<'_> {
    fn device(&self) -> &DeviceDescription {
        self.0.device()
    }

    fn capacity(&self) -> Capacity {
        self.0.capacity()
    }

    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        let mut plan = plan.clone();
        let train = plan.program("train.train")?;
        for call in plan.programs[train.0].calls.clone() {
            plan.programs.push(Program { name: call.subject.clone(), calls: vec![call] });
        }
        self.0.load(&plan)
    }
}

/// Explains the training step of the settings on a device, and measures it when `timed`. Nothing
/// that it trains is kept.
///
/// # Errors
/// Those of [`super::fit`].
pub fn explain(
    settings: &Settings,
    task: &TaskSettings,
    dataset: Dataset,
    backend: &dyn Backend,
    timed: bool,
) -> Result<Explanation> {
    let mut run = Run::new(settings, task, dataset, &Dissecting(backend), RunAhead::Never, false)?;
    let program = run.plan.program("train.train")?;
    let rows = run.train.batches.batch;
    let calls = &run.plan.programs[program.0].calls;
    let mut explanation = Explanation {
        program: run.plan.programs[program.0].name.clone(),
        network: run.network.shape(),
        parameters: run.network.parameters(),
        members: run.network.members,
        heads: run.network.heads,
        rows,
        precision: settings.training.precision,
        device: backend.device().clone(),
        whole_steps: run.executor.runs_whole_steps(program),
        total: calls.iter().map(|call| call.cost(rows as u64)).sum(),
        calls: calls
            .iter()
            .enumerate()
            .map(|(at, call)| {
                explained(call, rows as u64, &run.plan, run.executor.form(program, at))
            })
            .collect(),
        rates: None,
        step: None,
    };
    if timed {
        time(&mut run, program, &mut explanation)?;
        // The network's buffers make room for those of the measurement.
        drop(run);
        let rates = measure_rates(backend, &explanation.total)?;
        for call in &mut explanation.calls {
            let floor = call.cost.floor(rates.flops_per_second, rates.bytes_per_second);
            call.floor_seconds = Some(floor);
        }
        if let Some(step) = &mut explanation.step {
            step.floor_seconds = explanation.calls.iter().filter_map(|c| c.floor_seconds).sum();
            step.product_seconds = explanation.total.flops as f64 / rates.flops_per_second;
        }
        explanation.rates = Some(rates);
    }
    Ok(explanation)
}

fn explained(call: &Call, rows: u64, plan: &Plan, form: CallForm) -> ExplainedCall {
    let written = call.kernel.outputs();
    ExplainedCall {
        kernel: call.kernel.name(),
        subject: call.subject.clone(),
        shape: call.shape(rows),
        form,
        cost: call.cost(rows),
        buffers: call
            .bindings
            .iter()
            .map(|(binding, id)| BoundBuffer {
                binding,
                buffer: plan.buffers[id.0].name.clone(),
                written: written.contains(binding),
            })
            .collect(),
        seconds: None,
        floor_seconds: None,
    }
}

/// Times the whole step and each of its calls.
fn time(run: &mut Run, program: ProgramId, explanation: &mut Explanation) -> Result<()> {
    let epoch = run.prepare_epoch(1);
    // Uploads the tables and the order, and warms up.
    run.queue_batches(&epoch, 1, false, &|_| false)?;
    let batches = run.train.batches;
    // A last batch that is not full is left out.
    let full = (batches.covered() / batches.batch).max(1).min(batches.window);
    let (state, members) = (run.train.state()?, run.network.members);
    let start = vec![MemberState::START; members];
    let first_call = run.plan.programs.len();
    let executor = run.executor.as_mut();

    executor.write_state(state, &start)?;
    let once = executor.run_timed(program, 1)?;
    // As many in one go as training has, within what drivers take for a hang.
    let steps = ((0.05 / once.max(1e-9)) as usize).clamp(1, full.min(100));
    let seconds = median(&mut repeated(|| {
        executor.write_state(state, &start)?;
        Ok(executor.run_timed(program, steps)? / steps as f64)
    })?);

    let calls = explanation.calls.len();
    let mut times = vec![Vec::new(); calls];
    let mut done = 0;
    repeated(|| {
        if done % full == 0 {
            executor.write_state(state, &start)?;
        }
        done += 1;
        let mut whole = 0.0;
        for (call, times) in times.iter_mut().enumerate() {
            let seconds = executor.run_timed(ProgramId(first_call + call), 1)?;
            whole += seconds;
            times.push(seconds);
        }
        Ok(whole)
    })?;
    for (call, times) in explanation.calls.iter_mut().zip(&mut times) {
        call.seconds = Some(median(times));
    }
    explanation.step = Some(StepTime {
        seconds,
        samples_per_second: (explanation.rows * members) as f64 / seconds,
        calls_seconds: explanation.calls.iter().filter_map(|call| call.seconds).sum(),
        floor_seconds: 0.0,
        product_seconds: 0.0,
    });
    Ok(())
}
