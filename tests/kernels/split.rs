//! Fused steps whose gradients are made by parts of the batch.

use wgfit::kernels::Parameters;
use wgfit::program::{Call, ProgramId};
use wgfit::verify::{Case, Scene, scenes, training};

use super::scenarios::{hold_all, hold_trainings};
use super::{Under, gpu, gpu_all, gpu_once, reference};

/// What the batch is made of: parts, and rows of each.
fn parts(scene: &Scene) -> (u32, u32) {
    let calls = &scene.plan.programs[0].calls;
    let of = |call: &Call| match call.parameters {
        Parameters::PartialGradients(p) => Some((p.parts, p.part_rows)),
        _ => None,
    };
    calls.iter().find_map(of).expect("the step is split")
}

fn sizes(backends: &[Under]) {
    let held = scenes::split_sizes().unwrap();
    held.iter().for_each(|held| assert_eq!(parts(&held.scene), (4, 516)));
    hold_all(backends, &held);
}

#[test]
fn a_split_step_of_all_sizes_on_the_reference_in_f32() {
    sizes(&reference());
}

// `tiles.rs` has ragged ones with checked shaders.
#[test]
fn a_split_step_of_all_sizes_on_the_gpu() {
    sizes(&gpu());
}

#[test]
fn a_split_step_of_every_optimizer() {
    hold_all(&both(), &scenes::split_optimizers().unwrap());
}

/// The twins in f32, and an adapter.
fn both() -> Vec<Under> {
    reference().into_iter().chain(gpu_once()).collect()
}

/// Steps of a split plan are those of one that is not, on the f64 reference.
fn several_steps(backends: &[Under]) {
    let trainings = training::split().unwrap();
    for training in &trainings {
        assert!(parts(&training.own).0 > 1);
        assert!(training.plain.buffer("partial_gradients").is_err());
    }
    hold_trainings(backends, &trainings, false);
}

#[test]
fn split_steps_are_unsplit_ones_on_the_reference_in_f32() {
    several_steps(&reference());
}

#[test]
fn split_steps_are_unsplit_ones_on_the_gpu() {
    several_steps(&gpu_all());
}

#[test]
fn a_split_training_of_64_steps_is_the_oracles() {
    hold_trainings(&both(), &[training::split_of_64_steps().unwrap()], false);
}

/// The order of the sums is fixed.
#[test]
fn a_split_step_is_the_same_bits_twice() {
    let case = Case { hidden: vec![33], members: 2, ..scenes::split_case() };
    let mut scene = Scene::new(&case).unwrap();
    scenes::shorten(&mut scene, 2).unwrap();
    scene.begin();
    let backend = gpu_once().remove(0);
    let [one, other] = [0, 1].map(|_| {
        let mut executor = backend.load(&scene.plan).unwrap();
        scene.upload(executor.as_mut()).unwrap();
        executor.run(ProgramId(0), 3).unwrap();
        scene.download(executor.as_mut()).unwrap()
    });
    assert!(one == other);
}
