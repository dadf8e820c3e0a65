//! Each of 64 members trained side by side is what it would be by itself.

use wgfit::backend::Backend;
use wgfit::catalog::optimizer::OptimizerForm;
use wgfit::program::{LAYER_WORDS, ProgramId};
use wgfit::verify::{Case, Fill, Scene};

use super::{Under, cpu, gpu_once, reference};

const MEMBERS: usize = 64;
const STEPS: usize = 12;

/// 13-32-16-3 at batch 16, with weights that it could be in the middle of training with.
fn scene(members: usize, fused: bool) -> Scene {
    let mut scene = Scene::new(&Case {
        rows: 16,
        inputs: 13,
        hidden: vec![32, 16],
        outputs: 3,
        members,
        activation: "relu",
        optimizer: ("adam", OptimizerForm::default()),
        statistics: false,
        fused,
        table_steps: STEPS,
        ..Case::default()
    })
    .unwrap();
    scene.reals_mut("parameters").unwrap().iter_mut().for_each(|w| *w *= 0.3);
    for step in scene.steps_mut().unwrap() {
        step.learning_rate = 0.01;
        step.accumulates = 0;
    }
    scene.begin();
    scene
}

/// A member's own part of what a buffer of all is filled with.
fn part<T: Clone>(values: &[T], member: usize) -> Vec<T> {
    let own = values.len() / MEMBERS;
    values[member * own..(member + 1) * own].to_vec()
}

/// The scene of one member of another scene.
fn alone(all: &Scene, member: usize, fused: bool) -> Scene {
    let mut one = scene(1, fused);
    let specs = one.plan.buffers.clone();
    for (spec, fill) in specs.iter().zip(&mut one.fills) {
        let from = &all.fills[all.buffer(&spec.name).unwrap().0];
        let shared = spec.name == "train.features" || spec.name == "train.targets";
        *fill = match from {
            Fill::Reals(values) if shared => Fill::Reals(values.clone()),
            Fill::Reals(values) => Fill::Reals(part(values, member)),
            Fill::Words(values) => Fill::Words(part(values, member)),
            Fill::Layers(values) => Fill::Layers(part(values, member)),
            Fill::State(values) => Fill::State(part(values, member)),
            Fill::Scales(values) => Fill::Scales(part(values, member)),
            Fill::Steps(rows) => {
                Fill::Steps(rows.iter().skip(member).step_by(MEMBERS).copied().collect())
            }
        };
        if let Fill::Reals(values) = fill {
            // A buffer's end may be padded to what an adapter can bind.
            values.resize(spec.words as usize, 0.0);
        }
        assert!(
            !matches!(fill, Fill::Layers(rows) if rows.len() * LAYER_WORDS != spec.words as usize)
        );
    }
    one
}

fn trained(backend: &dyn Backend, scene: &Scene) -> Vec<f64> {
    let mut executor = backend.load(&scene.plan).unwrap();
    scene.upload(executor.as_mut()).unwrap();
    executor.run(ProgramId(0), STEPS).unwrap();
    let id = scene.buffer("parameters").unwrap();
    let words = scene.plan.buffers[id.0].words as usize;
    executor.read(&[(id, words)]).unwrap().remove(0).into_reals()
}

fn each_as_alone(backends: &[Under]) {
    for backend in backends {
        let fused = backend.capacity().fuses;
        let all = scene(MEMBERS, fused);
        let start = all.reals("parameters").unwrap().to_vec();
        let together = trained(backend.as_ref(), &all);
        let mut moved = 0.0_f64;
        for member in 0..MEMBERS {
            let single = trained(backend.as_ref(), &alone(&all, member, fused));
            let (own, before) = (part(&together, member), part(&start, member));
            assert_eq!(own.len(), single.len());
            for tensor in all.network.tensors() {
                for i in tensor.offset..tensor.offset + tensor.length {
                    let distance = (own[i] - single[i]).abs();
                    assert!(distance <= 1e-4, "member {member}, {}: {distance:e}", tensor.name);
                    moved = moved.max((own[i] - before[i]).abs());
                }
            }
        }
        assert!(moved > 0.01, "nothing was trained: {moved}");
    }
}

#[test]
fn each_of_64_members_trains_as_alone_on_the_cpu() {
    each_as_alone(&cpu());
}

#[test]
fn each_of_64_members_trains_as_alone_on_the_reference_in_f32() {
    each_as_alone(&reference());
}

#[test]
fn each_of_64_members_trains_as_alone_on_the_gpu() {
    each_as_alone(&gpu_once());
}
