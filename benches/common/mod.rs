//! What the benchmarks share: plans of whole steps, loaded with numbers to compute on.

#![allow(dead_code)] // each benchmark uses its own part

use std::time::Duration;

use criterion::Criterion;
use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions, adapters};
use wgfit::backend::{Backend, Executor};
use wgfit::catalog::activation::{self, ActivationSettings};
use wgfit::catalog::loss::{self, LossSettings};
use wgfit::catalog::optimizer::{self, Convention, OptimizerForm};
use wgfit::network::{LayerShape, Network};
use wgfit::program::{
    Contents, LayerSettings, MemberState, Pass, PassKind, Plan, PlanRequest, Precision, ProgramId,
    StepSettings, Update,
};

/// Steps that the tables hold.
pub const STEPS: usize = 64;

/// Few samples, each short: a look at every kernel, not a study of one.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .configure_from_args()
}

/// The CPU backend, and the first adapter where there is one, by names for the reports.
pub fn backends() -> Vec<(String, Box<dyn Backend>)> {
    let cpu = CpuBackend::new().expect("the CPU backend starts");
    let mut backends: Vec<(String, Box<dyn Backend>)> = vec![("cpu".to_owned(), Box::new(cpu))];
    match adapters().first() {
        Some(adapter) => {
            let name = adapter.description.name.split(' ').next().unwrap_or("gpu").to_owned();
            let gpu = GpuBackend::new(adapter, GpuOptions::default()).expect("the adapter opens");
            backends.push((name, Box::new(gpu)));
        }
        None => eprintln!("no GPU adapter: the CPU backend alone is measured"),
    }
    backends
}

pub fn relu() -> ActivationSettings {
    ActivationSettings::new(activation::find("relu").expect("relu"), Convention::Torch)
}

/// A classifier with plain layers.
pub fn network(members: usize, inputs: usize, hidden: &[usize], classes: usize) -> Network {
    let hidden: Vec<LayerShape> =
        hidden.iter().map(|units| LayerShape::new(*units, relu())).collect();
    Network::new(members, inputs, &hidden, classes).expect("a network")
}

/// An optimizer's update, and nothing around it.
pub fn update(name: &str) -> Update {
    let row = optimizer::find(name).expect("an optimizer");
    Update::new(row, OptimizerForm::default())
}

/// The plan of a training pass over [`STEPS`] batches, in the fused and the split form where it can
/// have them.
pub fn plan(network: &Network, batch: usize, update: Update, [fuses, splits]: [bool; 2]) -> Plan {
    let row = loss::find("categorical_cross_entropy").expect("a loss");
    Plan::new(&PlanRequest {
        network,
        loss: LossSettings::new(row, Convention::Torch),
        terms: Vec::new(),
        target_width: 1,
        update: Some(update),
        gradient_statistics: false,
        fuses,
        precision: Precision::F32,
        splits,
        passes: vec![Pass {
            name: "train".to_owned(),
            set: "train".to_owned(),
            kind: PassKind::Train,
            resident_rows: batch * STEPS,
            batch_rows: batch,
            table_steps: STEPS,
            weighted: false,
            collected_rows: 0,
        }],
    })
    .expect("a plan")
}

/// Puts weights, features, settings and tables in place; the classes are all 0.
pub fn fill(
    plan: &Plan,
    network: &Network,
    batch: usize,
    executor: &mut dyn Executor,
) -> wgfit::Result<()> {
    let some = |count: u64| (0..count).map(|i| (i * 37 % 101) as f64 / 1010.0 - 0.05).collect();
    for name in ["parameters", "train.features"] {
        let id = plan.buffer(name)?;
        let mut values: Vec<f64> = some(plan.buffers[id.0].words);
        if name == "train.features" {
            for (at, row) in values.chunks_exact_mut(network.inputs).enumerate() {
                for own in &network.embeddings {
                    row[own.shape.column] = (at * 7919 % own.shape.categories) as f64;
                }
            }
        }
        executor.write_reals(id, &values)?;
    }
    // Of each block the factors of decay and rate are 1.
    let settings = plan.buffer("block_settings")?;
    let count = plan.buffers[settings.0].words as usize;
    let values: Vec<f64> =
        (0..count).map(|i| f64::from(u8::from([2, 3].contains(&(i % 8))))).collect();
    executor.write_reals(settings, &values)?;
    let layers = vec![LayerSettings::default(); network.members * network.layers.len()];
    executor.write_layers(plan.buffer("layers")?, &layers)?;
    for buffer in &plan.buffers {
        if buffer.contents == Contents::Words && buffer.name.ends_with("order") {
            let order: Vec<u32> = (0..buffer.words as u32 / network.members as u32).collect();
            executor.write_words(plan.buffer(&buffer.name)?, &order.repeat(network.members))?;
        }
    }
    let steps: Vec<StepSettings<f64>> = (0..STEPS)
        .flat_map(|step| {
            let row = StepSettings {
                first_row: (step * batch) as u32,
                rows: batch as u32,
                step: step as u32 + 1,
                batch: step as u32 + 1,
                updates: 1,
                share: 1.0 / batch as f64,
                learning_rate: 1e-4,
                clip: 1.0,
                epsilon: 1e-8,
                beta1: 0.9,
                beta2: 0.999,
                momentum: 0.9,
                average_rate: 0.1,
                coefficients: [1.0; 4],
                ..StepSettings::default()
            };
            std::iter::repeat_n(row, network.members)
        })
        .collect();
    executor.write_steps(plan.buffer("train.train.steps")?, &steps)?;
    restart(plan, network.members, executor)
}

/// Back to the first step of the tables.
pub fn restart(plan: &Plan, members: usize, executor: &mut dyn Executor) -> wgfit::Result<()> {
    executor.write_state(plan.buffer("train.train.state")?, &vec![MemberState::START; members])
}

/// Seconds of so many steps, on the device's clock: the tables are begun anew when they end.
pub fn time_steps(
    plan: &Plan,
    members: usize,
    executor: &mut dyn Executor,
    program: ProgramId,
    steps: u64,
) -> Duration {
    let mut seconds = 0.0;
    let mut left = steps as usize;
    while left > 0 {
        let now = left.min(STEPS);
        restart(plan, members, executor).expect("the state is written");
        seconds += executor.run_timed(program, now).expect("the steps run");
        left -= now;
    }
    Duration::from_secs_f64(seconds)
}
