//! Every kernel by itself, on the CPU and on the first adapter, by the device's clock.

mod common;

use std::collections::HashSet;

use common::{backends, criterion, fill, plan, relu, time_steps, update};
use criterion::{Criterion, criterion_group, criterion_main};
use wgfit::backend::Backend;
use wgfit::catalog::activation::{self, ActivationSettings};
use wgfit::catalog::normalization::{NORMALIZATIONS, NormalizationSettings};
use wgfit::catalog::optimizer::Convention;
use wgfit::catalog::optimizer::muon::Adjust;
use wgfit::catalog::row_activation::ROW_ACTIVATIONS;
use wgfit::kernels::Kernel;
use wgfit::network::{EmbeddingShape, LayerShape, Network};
use wgfit::program::{Clip, Orthogonalization, Plan, Program, ProgramId, Update};

const BATCH: usize = 64;

const LARGE_BATCH: usize = 4096;

/// 784-128-64-10 with Adam: what most runs are made of.
fn plain(fuses: bool) -> (Network, Plan, usize) {
    let network = common::network(1, 784, &[128, 64], 10);
    let plan = plan(&network, BATCH, update("adam"), [fuses, false]);
    (network, plan, BATCH)
}

/// 784-32-10 with large batches, whose gradients are made by parts of them.
fn split() -> (Network, Plan, usize) {
    let network = common::network(1, 784, &[32], 10);
    let plan = plan(&network, LARGE_BATCH, update("adam"), [true, true]);
    (network, plan, LARGE_BATCH)
}

/// 20 numbers and learned tables of 2, 1000 and 20000 categories, with large batches.
fn embedded() -> (Network, Plan, usize) {
    let shape = |column, categories, size| EmbeddingShape { column, categories, size };
    let tables = [shape(0, 2, 1), shape(7, 1000, 16), shape(22, 20_000, 50)];
    let layer = |units| LayerShape::new(units, relu());
    let network = Network::embedded(1, 23, &tables, &[layer(128)], layer(10)).expect("a network");
    let plan = plan(&network, LARGE_BATCH, update("adam"), [false, false]);
    (network, plan, LARGE_BATCH)
}

/// All that a layer, a gradient and a step can have around them.
fn adorned() -> (Network, Plan, usize) {
    let prelu = activation::find("prelu").expect("prelu");
    let first = LayerShape {
        normalization: Some(NormalizationSettings::new(&NORMALIZATIONS[0], Convention::Torch)),
        max_norm: Some(2.0),
        ..LayerShape::new(128, relu())
    };
    let second = LayerShape {
        slopes: 1,
        residual: true,
        ..LayerShape::new(128, ActivationSettings::new(prelu, Convention::Torch))
    };
    let output = LayerShape {
        row_activation: Some(&ROW_ACTIVATIONS[0]),
        ..LayerShape::new(10, ActivationSettings::linear())
    };
    let network = Network::with_output(1, 128, &[first, second], output).expect("a network");
    let how = Orthogonalization { steps: 5, epsilon: 1e-7, adjust: Adjust::Original };
    let update = Update {
        clip: Some(Clip::GlobalNorm),
        orthogonalization: Some(how),
        average: true,
        ..update("muon")
    };
    let plan = plan(&network, BATCH, update, [false, false]);
    (network, plan, BATCH)
}

/// Times the first call of each kernel that was not timed yet.
fn calls(
    criterion: &mut Criterion,
    (name, backend): (&str, &dyn Backend),
    (network, plan, batch): (&Network, &Plan, usize),
    done: &mut HashSet<Kernel>,
) {
    let mut dissected = plan.clone();
    let all = plan.programs[0].calls.clone();
    for call in all.iter().cloned() {
        dissected.programs.push(Program { name: call.subject.clone(), calls: vec![call] });
    }
    let mut executor = backend.load(&dissected).expect("the plan loads");
    fill(plan, network, batch, executor.as_mut()).expect("the buffers are filled");
    executor.run(ProgramId(0), 1).expect("a step runs");
    for (at, call) in all.iter().enumerate() {
        if !done.insert(call.kernel) {
            continue;
        }
        let label = format!("{name}/{}/{}", call.kernel.name(), call.subject);
        let program = ProgramId(plan.programs.len() + at);
        criterion.bench_function(&label, |bencher| {
            bencher.iter_custom(|steps| {
                time_steps(plan, network.members, executor.as_mut(), program, steps)
            });
        });
    }
}

fn kernels(criterion: &mut Criterion) {
    for (name, backend) in backends() {
        let fuses = backend.capacity().fuses;
        let mut done = HashSet::new();
        let fused = fuses.then(|| [plain(true), split()]).into_iter().flatten();
        for (network, plan, batch) in fused.chain([plain(false), adorned(), embedded()]) {
            calls(criterion, (&name, backend.as_ref()), (&network, &plan, batch), &mut done);
        }
        let is_left = |k: Kernel| !done.contains(&k) && (fuses || !k.is_grouped());
        let left: Vec<&str> =
            Kernel::ALL.iter().filter(|k| is_left(**k)).map(|k| k.name()).collect();
        assert!(left.is_empty(), "no benchmark of {}", left.join(", "));
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = kernels
}
criterion_main!(benches);
