//! Whole steps, many to a dispatch, against the plain form of a step on the f64 reference.

use wgfit::backend::gpu::{GpuBackend, GpuOptions, WholeSteps};
use wgfit::backend::{Backend, Contained, Executor};
use wgfit::catalog::optimizer::OptimizerForm;
use wgfit::program::{MemberState, NONE, ProgramId};
use wgfit::verify::training::whole_scenes;
use wgfit::verify::{Case, Scene, compare, training};

use super::scenarios::hold_trainings;
use super::{Under, adapter};

fn gpu(whole_steps: WholeSteps, checked: bool) -> Under {
    let options = GpuOptions {
        checked_shaders: Some(checked),
        whole_steps: Some(whole_steps),
        ..GpuOptions::default()
    };
    Box::new(GpuBackend::new(&adapter(), options).unwrap())
}

fn loaded(backend: &dyn Backend, scene: &Scene, whole: bool) -> Box<dyn Executor> {
    let mut executor = backend.load(&scene.plan).unwrap();
    assert_eq!(executor.runs_whole_steps(ProgramId(0)), whole, "{}", scene.name);
    scene.upload(executor.as_mut()).unwrap();
    executor
}

fn reals(executor: &mut dyn Executor, scene: &Scene, name: &str) -> Vec<f64> {
    let id = scene.buffer(name).unwrap();
    let words = scene.plan.buffers[id.0].words as usize;
    executor.read(&[(id, words)]).unwrap().remove(0).into_reals()
}

fn states(executor: &mut dyn Executor, scene: &Scene, members: usize) -> Vec<(u32, u32, u32)> {
    let read = executor.read(&[(scene.buffer("train.train.state").unwrap(), members)]).unwrap();
    let states = read.into_iter().flat_map(Contained::into_state);
    states.map(|state| (state.cursor, state.bad_step, state.bad_element)).collect()
}

#[test]
fn whole_steps_of_all_sizes() {
    let trainings = training::whole_of_sizes().unwrap();
    hold_trainings(&[gpu(WholeSteps::Always, false)], &trainings, true);
    let checked = [gpu(WholeSteps::Always, true)];
    hold_trainings(&checked, &trainings[..1], true);
    hold_trainings(&checked, &trainings[4..], true);
}

#[test]
fn whole_steps_of_every_family_of_losses() {
    let trainings = training::whole_of_losses().unwrap();
    hold_trainings(&[gpu(WholeSteps::Always, false)], &trainings, true);
}

#[test]
fn whole_steps_of_several_optimizers() {
    let trainings = training::whole_of_optimizers().unwrap();
    hold_trainings(&[gpu(WholeSteps::Always, false)], &trainings, true);
}

/// A loss or an update that is not finite stops a member where the calls one by one stop it, with
/// the same weights of what goes on.
#[test]
fn whole_steps_stop_where_steps_do() {
    let case = Case { rows: 9, inputs: 3, hidden: vec![6], members: 2, ..Case::default() };
    let [_, scene] = whole_scenes(&case).unwrap();
    let stride = scene.network.stride;
    type Spoil = fn(&mut Scene);
    let spoils: [(&str, Spoil); 2] = [
        ("loss", |scene| {
            let bias = scene.network.layers[1].offsets.bias;
            scene.reals_mut("parameters").unwrap()[bias] = f64::NAN;
        }),
        // The second step of the first member is so long that weights overflow.
        ("update", |scene| {
            let step = &mut scene.steps_mut().unwrap()[2];
            (step.weight_decay, step.learning_rate) = (1e38, 1e38);
        }),
    ];
    for (what, spoil) in spoils {
        let mut scene = scene.clone();
        spoil(&mut scene);
        let [fused, whole] = [WholeSteps::Never, WholeSteps::Always].map(|when| {
            let whole = when == WholeSteps::Always;
            let mut executor = loaded(gpu(when, false).as_ref(), &scene, whole);
            executor.run(ProgramId(0), 3).unwrap();
            let states = states(executor.as_mut(), &scene, 2);
            (states, reals(executor.as_mut(), &scene, "parameters"))
        });
        assert_eq!(whole.0, fused.0, "{what}");
        let (cursor, bad_step, bad_element) = whole.0[0];
        let at = if what == "loss" { (0, 1) } else { (1, 2) };
        assert_eq!(((cursor, bad_step), bad_element == NONE), (at, what == "loss"), "{what}");
        assert_eq!(whole.0[1], (3, NONE, NONE), "{what}");
        let bound = |i: usize| 2e-5 * (0.1 + fused.1[stride + i].abs());
        let sentinel = vec![f64::MAX; stride];
        compare(&whole.1[stride..], &fused.1[stride..], &sentinel, &bound).unwrap();
    }
}

/// The measurement that chooses leaves the buffers as new ones are.
#[test]
fn a_measurement_leaves_nothing_behind() {
    for loss in ["mse", "categorical_cross_entropy"] {
        let case = Case { rows: 9, inputs: 3, hidden: vec![6], members: 2, ..Case::default() };
        let [_, scene] =
            whole_scenes(&Case { loss, optimizer: ("adam", Default::default()), ..case }).unwrap();
        let [measured, never] = [WholeSteps::Measured, WholeSteps::Never].map(|when| {
            let mut executor = gpu(when, false).load(&scene.plan).unwrap();
            (executor.counters(), scene.download(executor.as_mut()).unwrap())
        });
        // It took place, and of the two forms the better one is left.
        assert_eq!(measured.0.pipelines, never.0.pipelines + 1);
        for (_, contained) in measured.1.into_iter().chain(never.1) {
            assert!(contained.clone().into_reals().iter().all(|x| x.to_bits() == 0));
            let states = contained.into_state();
            let words = |s: &MemberState| [s.cursor, s.bad_step, s.bad_element, s.backward];
            assert!(states.iter().all(|state| words(state) == [0; 4]));
        }
    }
}

/// Many steps are few dispatches, and the same bits.
#[test]
fn whole_steps_of_one_dispatch_are_those_of_many() {
    let case = Case { rows: 9, inputs: 3, hidden: vec![6], dropout: 0.2, ..Case::default() };
    let optimizer = ("adam", OptimizerForm::default());
    let [_, scene] =
        whole_scenes(&Case { members: 2, optimizer, table_steps: 73, ..case }).unwrap();
    let [at_once, one_by_one] = [true, false].map(|at_once| {
        let mut executor = loaded(gpu(WholeSteps::Always, false).as_ref(), &scene, true);
        if at_once {
            executor.run_timed(ProgramId(0), 73).unwrap();
        } else {
            (0..73).for_each(|_| executor.run(ProgramId(0), 1).unwrap());
        }
        (executor.counters().calls, scene.download(executor.as_mut()).unwrap())
    });
    assert_eq!((at_once.0, one_by_one.0), (3, 73), "64, 8 and 1 steps");
    assert!(at_once.1 == one_by_one.1);
    let state = scene.buffer("train.train.state").unwrap();
    let reached = at_once.1.into_iter().find(|(id, _)| *id == state).unwrap().1.into_state();
    assert!(reached.iter().all(|state| (state.cursor, state.bad_step) == (73, NONE)));
}
