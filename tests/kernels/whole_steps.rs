//! Whole steps, many to a dispatch, against the plain form of a step on the f64 reference.

use wgfit::backend::gpu::{GpuBackend, GpuOptions, WholeSteps};
use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Contained, Executor};
use wgfit::catalog::activation::{self, ActivationSettings};
use wgfit::catalog::optimizer::{Convention, OptimizerForm};
use wgfit::network::LayerShape;
use wgfit::program::{MemberState, NONE, ProgramId, Update};

use super::oracle::{Case, Fill, Scene, compare};
use super::{Under, adapter};

fn gpu(whole_steps: WholeSteps, checked: bool) -> Under {
    let options = GpuOptions {
        checked_shaders: Some(checked),
        whole_steps: Some(whole_steps),
        ..GpuOptions::default()
    };
    Box::new(GpuBackend::new(&adapter(), options).unwrap())
}

/// The hidden layers' activations, by index: of the output, of the input, and linear.
const ACTIVATIONS: [&str; 4] = ["tanh", "gelu", "leaky_relu", "linear"];

fn scene(case: &Case, fused: bool) -> Scene {
    let case = Case { fused, statistics: false, ..case.clone() };
    Scene::with_layers(&case, &|index, layer| {
        let row = activation::find(ACTIVATIONS[index % 4]).unwrap();
        LayerShape { activation: ActivationSettings::new(row, Convention::Torch), ..layer }
    })
}

/// The plain scene that a training begins with, and the same in the fused form.
fn scenes(case: &Case) -> [Scene; 2] {
    let mut plain = scene(case, false);
    plain.reals_mut("parameters").iter_mut().for_each(|w| *w *= 0.5);
    // Every step of a fused program is a whole one.
    plain.steps_mut().iter_mut().for_each(|step| step.accumulates = 0);
    plain.begin();
    if case.stopped {
        for fill in &mut plain.fills {
            if let (Fill::State(states), last) = (fill, case.members - 1) {
                states[last] =
                    MemberState { cursor: 1, bad_step: 9, bad_element: NONE, backward: 1 };
            }
        }
    }
    let mut fused = scene(case, true);
    fused.fill_as(&plain);
    [plain, fused]
}

fn loaded(backend: &dyn Backend, scene: &Scene, whole: bool) -> Box<dyn Executor> {
    let mut executor = backend.load(&scene.plan).unwrap();
    assert_eq!(executor.runs_whole_steps(ProgramId(0)), whole, "{}", scene.name);
    scene.upload(executor.as_mut());
    executor
}

fn reals(executor: &mut dyn Executor, scene: &Scene, name: &str) -> Vec<f64> {
    let id = scene.buffer(name);
    let words = scene.plan.buffers[id.0].words as usize;
    executor.read(&[(id, words)]).unwrap().remove(0).into_reals()
}

fn states(executor: &mut dyn Executor, scene: &Scene, members: usize) -> Vec<(u32, u32, u32)> {
    let read = executor.read(&[(scene.buffer("train.train.state"), members)]).unwrap();
    let states = read.into_iter().flat_map(Contained::into_state);
    states.map(|state| (state.cursor, state.bad_step, state.bad_element)).collect()
}

/// Trains for three steps in two goes, and compares everything that is left.
fn hold(case: &Case, backend: &dyn Backend) {
    let [plain, fused] = scenes(case);
    let mut wanted = loaded(&Reference::<f64>::new(), &plain, false);
    let mut found = loaded(backend, &fused, true);
    for steps in [1, 2] {
        wanted.run(ProgramId(0), steps).unwrap();
        found.run(ProgramId(0), steps).unwrap();
    }
    assert_eq!(found.counters().calls, 3, "three dispatches of a step");
    let stride = plain.network.stride;
    let tensors = plain.network.tensors();
    let collected = case.collects.then_some("train.train.collected");
    let names = ["parameters", "moment0", "moment1", "moment2", "train.train.log"];
    for name in names.into_iter().chain(collected) {
        let wanted = reals(wanted.as_mut(), &plain, name);
        let found = reals(found.as_mut(), &fused, name);
        // What pads a tensor is stepped by what its gradient's buffer held before.
        let is_padding = |element: usize| {
            let mut ranges = tensors.iter().map(|t| t.offset..t.offset + t.length);
            wanted.len() == case.members * stride
                && !ranges.any(|r| r.contains(&(element % stride)))
        };
        let bound = |i: usize| match is_padding(i) {
            true => f64::MAX,
            false => 2e-5 * (0.1 + wanted[i].abs()),
        };
        compare(&found, &wanted, &vec![f64::MAX; wanted.len()], &bound)
            .unwrap_or_else(|error| panic!("{name} of {}: {error:?}", fused.name));
    }
    let [wanted, found] =
        [(wanted, &plain), (found, &fused)].map(|(mut e, s)| states(e.as_mut(), s, case.members));
    assert_eq!(found, wanted, "{}", fused.name);
}

fn form(set: fn(&mut OptimizerForm)) -> OptimizerForm {
    let mut form = OptimizerForm::default();
    set(&mut form);
    form
}

#[test]
fn whole_steps_of_all_sizes() {
    let backend = gpu(WholeSteps::Always, false);
    let momentum = form(|form| form.with_momentum = true);
    let case = Case { optimizer: ("sgd", momentum), members: 3, stopped: true, ..Case::default() };
    for (rows, inputs, hidden, outputs) in [
        (1, 1, vec![], 1),
        (21, 11, vec![23], 5),
        (130, 12, vec![24, 65], 4),
        (33, 7, vec![9, 70, 18], 3),
        (5, 3, vec![4, 8, 4, 6], 2),
    ] {
        let dropout = if hidden.len() == 3 { 0.25 } else { 0.0 };
        let case = Case { rows, inputs, hidden, outputs, dropout, loss: "mse", ..case.clone() };
        hold(&case, backend.as_ref());
        if rows < 21 {
            hold(
                &Case { members: 1, stopped: false, ..case },
                gpu(WholeSteps::Always, true).as_ref(),
            );
        }
    }
}

#[test]
fn whole_steps_of_every_family_of_losses() {
    let backend = gpu(WholeSteps::Always, false);
    let case = Case { rows: 9, inputs: 3, hidden: vec![6], outputs: 3, ..Case::default() };
    for (loss, soft, weighted) in [
        ("huber", false, true),
        ("poisson", false, false),
        ("gaussian_nll", false, false),
        ("categorical_cross_entropy", false, true),
        ("categorical_focal", true, false),
        ("categorical_hinge", false, false),
        ("binary_cross_entropy", false, false),
    ] {
        let case = Case { loss, soft, weighted, collects: weighted, ..case.clone() };
        hold(&case, backend.as_ref());
    }
}

#[test]
fn whole_steps_of_several_optimizers() {
    let backend = gpu(WholeSteps::Always, false);
    let case = Case { rows: 9, inputs: 4, hidden: vec![6], members: 3, ..Case::default() };
    let alike: fn(Update) -> Update = |update| Update { by_block: false, ..update };
    for (index, optimizer) in [
        ("adam", OptimizerForm::default()),
        ("adam", form(|form| (form.keras, form.amsgrad) = (true, true))),
        ("nadam", OptimizerForm::default()),
        ("rmsprop", OptimizerForm::default()),
        ("adagrad", OptimizerForm::default()),
    ]
    .into_iter()
    .enumerate()
    {
        let update = if index % 2 == 0 { case.update } else { alike };
        hold(&Case { optimizer, update, ..case.clone() }, backend.as_ref());
    }
}

/// A loss or an update that is not finite stops a member where the calls one by one stop it, with
/// the same weights of what goes on.
#[test]
fn whole_steps_stop_where_steps_do() {
    let case = Case { rows: 9, inputs: 3, hidden: vec![6], members: 2, ..Case::default() };
    let [_, scene] = scenes(&case);
    let stride = scene.network.stride;
    type Spoil = fn(&mut Scene);
    let spoils: [(&str, Spoil); 2] = [
        ("loss", |scene| {
            let bias = scene.network.layers[1].offsets.bias;
            scene.reals_mut("parameters")[bias] = f64::NAN;
        }),
        // The second step of the first member is so long that weights overflow.
        ("update", |scene| {
            let step = &mut scene.steps_mut()[2];
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
        let [_, scene] = scenes(&Case { loss, optimizer: ("adam", Default::default()), ..case });
        let [measured, never] = [WholeSteps::Measured, WholeSteps::Never].map(|when| {
            let mut executor = gpu(when, false).load(&scene.plan).unwrap();
            (executor.counters(), scene.download(executor.as_mut()))
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
    let [_, scene] = scenes(&Case { members: 2, optimizer, table_steps: 73, ..case });
    let [at_once, one_by_one] = [true, false].map(|at_once| {
        let mut executor = loaded(gpu(WholeSteps::Always, false).as_ref(), &scene, true);
        if at_once {
            executor.run_timed(ProgramId(0), 73).unwrap();
        } else {
            (0..73).for_each(|_| executor.run(ProgramId(0), 1).unwrap());
        }
        (executor.counters().calls, scene.download(executor.as_mut()))
    });
    assert_eq!((at_once.0, one_by_one.0), (3, 73), "64, 8 and 1 steps");
    assert!(at_once.1 == one_by_one.1);
    let state = scene.buffer("train.train.state");
    let reached = at_once.1.into_iter().find(|(id, _)| *id == state).unwrap().1.into_state();
    assert!(reached.iter().all(|state| (state.cursor, state.bad_step) == (73, NONE)));
}
