//! The plain step of the CPU backend, which a team of threads runs as one, against the f64 reference.

use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Contained, Executor};
use wgfit::catalog::loss::LOSSES;
use wgfit::catalog::optimizer::{OPTIMIZERS, OptimizerForm};
use wgfit::config::data::Task;
use wgfit::kernels::optimizer_step::BLOCK_SETTINGS;
use wgfit::program::ProgramId;
use wgfit::verify::{Case, Fill, Scene, compare};

const STEPS: usize = 3;

/// A scene of plain steps: every tensor has one row of settings, and only the two steps from `pair` on
/// share an optimizer's step.
fn plain(case: &Case, pair: Option<usize>) -> Scene {
    let mut scene = Scene::new(&Case { statistics: false, ..case.clone() }).unwrap();
    scene.begin();
    // Deep sums of numbers that do not shrink would leave nothing of a comparison.
    let scale = (case.inputs as f64).sqrt().recip().min(0.5);
    scene
        .reals_mut("parameters")
        .unwrap()
        .iter_mut()
        .for_each(|w| *w = f64::from((*w * scale) as f32));
    for (index, row) in scene.steps_mut().unwrap().iter_mut().enumerate() {
        let step = index / case.members;
        row.updates = u32::from(pair != Some(step));
        row.accumulates = u32::from(pair.is_some_and(|first| first + 1 == step));
        row.learning_rate /= 8.0;
    }
    scene
}

const READ: [&str; 7] = [
    "parameters",
    "moment0",
    "moment1",
    "moment2",
    "train.train.log",
    "train.train.state",
    "gradients",
];

fn trained(backend: &dyn Backend, scene: &Scene, runs: &[usize]) -> Vec<Contained> {
    let mut executor = backend.load(&scene.plan).expect("a plan that loads");
    scene.upload(executor.as_mut()).unwrap();
    for steps in runs {
        executor.run(ProgramId(0), *steps).expect("a run");
    }
    READ.iter().map(|name| read(executor.as_mut(), scene, name)).collect()
}

fn read(executor: &mut dyn Executor, scene: &Scene, name: &str) -> Contained {
    let id = scene.buffer(name).unwrap();
    let words = scene.plan.buffers[id.0].words as usize;
    let length = if name.ends_with("state") { words / 4 } else { words };
    executor.read(&[(id, length)]).expect("a readback").remove(0)
}

/// Whether every step was a plain one: those leave the gradients alone.
fn took_plain_steps(scene: &Scene, found: &[Contained]) -> bool {
    let Contained::Reals(gradients) = &found[READ.len() - 1] else { panic!("no gradients") };
    let fill = scene.reals("gradients").unwrap();
    gradients.len() == fill.len() && gradients.iter().zip(fill).all(|(a, b)| a == b)
}

/// Of an arena what lies in a tensor, of anything else all: what fills up an arena is noise here, and 0
/// in a training.
fn of_tensors(scene: &Scene, values: &[f64]) -> Vec<f64> {
    let stride = scene.network.stride;
    if values.len() != stride * scene.network.members {
        return values.to_vec();
    }
    let tensors = scene.network.tensors();
    let lies = |at: &usize| {
        tensors.iter().any(|tensor| (tensor.offset..tensor.offset + tensor.length).contains(at))
    };
    (0..values.len()).filter(|at| lies(&(at % stride))).map(|at| values[at]).collect()
}

/// Holds a scene on so many threads to the reference.
fn hold(scene: &Scene, threads: &[usize], runs: &[usize], is_plain: bool) {
    let wanted = trained(&Reference::<f64>::new(), scene, runs);
    for threads in threads {
        let backend = CpuBackend::with_threads(*threads).expect("threads");
        let found = trained(&backend, scene, runs);
        let name = format!("{} on {threads} threads", scene.name);
        assert_eq!(took_plain_steps(scene, &found), is_plain, "{name}: which path");
        for ((buffer, found), wanted) in READ.iter().zip(&found).zip(&wanted) {
            match (found, wanted) {
                (_, _) if *buffer == "gradients" => {}
                (Contained::Reals(found), Contained::Reals(wanted)) => {
                    let [found, wanted] = [found, wanted].map(|values| of_tensors(scene, values));
                    let sentinel = vec![f64::MAX; wanted.len()];
                    let bound = |i: usize| 5e-5 * (0.1 + wanted[i].abs());
                    compare(&found, &wanted, &sentinel, &bound)
                        .unwrap_or_else(|fault| panic!("{name}: {buffer}: {fault}"));
                }
                (found, wanted) => assert_eq!(found, wanted, "{name}: {buffer}"),
            }
        }
    }
}

fn adam() -> Case {
    Case { optimizer: ("adam", OptimizerForm::default()), ..Case::default() }
}

/// Sizes about the panels of 32, the tiles of 8 and the blocks of rows and pieces, and primes.
#[test]
fn sizes() {
    let sizes: [(usize, usize, &[usize], usize); 10] = [
        (1, 1, &[], 1),
        (1, 1, &[1], 2),
        (7, 31, &[33], 3),
        (8, 32, &[32], 32),
        (9, 33, &[31, 65], 33),
        (16, 64, &[64], 10),
        (17, 257, &[40, 1, 70], 5),
        (65, 13, &[127], 7),
        (130, 300, &[97, 61], 11),
        (515, 263, &[290], 4),
    ];
    for (rows, inputs, hidden, outputs) in sizes {
        for members in [1, 3] {
            let loss = if outputs == 1 { "mse" } else { "categorical_cross_entropy" };
            let case = Case { rows, inputs, hidden: hidden.to_vec(), outputs, members, ..adam() };
            let scene = plain(&Case { loss, ..case }, None);
            hold(&scene, &[1, 2, 5], &[1, 2], true);
        }
    }
}

/// Derivatives from outputs and from inputs, with and without dropout; collected outputs; weights.
#[test]
fn activations_and_dropout() {
    for activation in ["tanh", "gelu", "relu", "sigmoid", "silu"] {
        for dropout in [0.0, 0.3] {
            let case = Case { activation, dropout, hidden: vec![37, 18], members: 2, ..adam() };
            let case = Case { rows: 37, weighted: dropout > 0.0, collects: true, ..case };
            hold(&plain(&case, None), &[1, 2], &[STEPS], true);
        }
    }
}

#[test]
fn every_loss() {
    for row in &LOSSES {
        let classes = row.tasks.contains(&Task::Classification);
        for outputs in [2, 37] {
            let case = Case { loss: row.name, outputs, soft: classes, ..adam() };
            hold(&plain(&case, None), &[2], &[STEPS], true);
        }
    }
}

#[test]
fn every_optimizer_and_form() {
    for row in OPTIMIZERS.iter().filter(|row| row.name != "muon") {
        for form in OptimizerForm::all(row) {
            let case = Case { optimizer: (row.name, form), hidden: vec![35], ..Case::default() };
            hold(&plain(&Case { members: 2, ..case }, None), &[2], &[STEPS], true);
        }
    }
}

/// Steps that are not plain, between plain ones, and blocks whose settings differ.
#[test]
fn what_is_not_plain_runs_call_by_call() {
    let case = Case { hidden: vec![35], members: 2, ..adam() };
    for (pair, runs) in [(1, [1, 1, 1]), (0, [1, 1, 1]), (0, [2, 1, 0]), (1, [1, 2, 0])] {
        hold(&plain(&case, Some(pair)), &[1, 2], &runs, false);
    }
    let mut scene = plain(&Case { inputs: 40, ..case }, None);
    scene.reals_mut("block_settings").unwrap()[BLOCK_SETTINGS] += 0.125;
    hold(&scene, &[2], &[STEPS], false);
}

/// A batch that is larger than those before it: there was no room for it yet.
#[test]
fn a_larger_batch_after_smaller_ones() {
    let case = Case { rows: 230, inputs: 70, hidden: vec![131, 40], ..adam() };
    let mut scene = plain(&case, None);
    for (row, rows) in scene.steps_mut().unwrap().iter_mut().zip([40, 17, 230]) {
        (row.rows, row.share) = (rows, 1.0 / f64::from(rows));
    }
    hold(&scene, &[1, 2, 5], &[1, 2], true);
    hold(&scene, &[2], &[2, 1], true);
}

/// Weights written from outside, and read, between two runs.
#[test]
fn weights_go_in_and_out_between_runs() {
    let scene = plain(&Case { hidden: vec![35], ..adam() }, None);
    let parameters = scene.buffer("parameters").unwrap();
    let of = |backend: &dyn Backend| {
        let mut executor = backend.load(&scene.plan).expect("a plan that loads");
        scene.upload(executor.as_mut()).unwrap();
        executor.run(ProgramId(0), 1).expect("a run");
        let mut halved = read(executor.as_mut(), &scene, "parameters").into_reals();
        halved.iter_mut().for_each(|w| *w = f64::from((*w * 0.5) as f32));
        executor.write_reals(parameters, &halved).expect("a write");
        executor.run(ProgramId(0), 2).expect("a run");
        read(executor.as_mut(), &scene, "parameters").into_reals()
    };
    let wanted = of_tensors(&scene, &of(&Reference::<f64>::new()));
    let found = of_tensors(&scene, &of(&CpuBackend::with_threads(2).expect("threads")));
    let bound = |i: usize| 5e-5 * (0.1 + wanted[i].abs());
    compare(&found, &wanted, &vec![f64::MAX; wanted.len()], &bound).expect("equal weights");
}

/// A number that is not finite: in the loss the weights stay, in a moment its parameter is named.
#[test]
fn numbers_that_are_not_finite() {
    let case = Case { inputs: 40, hidden: vec![35, 34], members: 2, ..adam() };
    for name in ["parameters", "moment0"] {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut scene = plain(&case, None);
            let stride = scene.network.stride;
            let offsets = scene.network.layers[1].offsets;
            let at = [stride + offsets.bias + 33, stride + offsets.weight + 35 * 33 + 34];
            at.iter().for_each(|at| scene.reals_mut(name).unwrap()[*at] = bad);
            let states = |backend: &dyn Backend| trained(backend, &scene, &[STEPS]).swap_remove(5);
            let wanted = states(&Reference::<f64>::new());
            for threads in [1, 2, 3] {
                let backend = CpuBackend::with_threads(threads).expect("threads");
                assert_eq!(states(&backend), wanted, "{name} {bad} on {threads} threads");
            }
        }
    }
}

/// How rows and weights are cut among threads changes no bit.
#[test]
fn numbers_do_not_depend_on_the_threads() {
    let case = Case { rows: 330, inputs: 300, hidden: vec![257, 131], dropout: 0.2, ..adam() };
    let scene = plain(&Case { activation: "silu", ..case }, None);
    let of = |threads: usize| {
        let backend = CpuBackend::with_threads(threads).expect("threads");
        trained(&backend, &scene, &[STEPS])
    };
    let wanted = of(1);
    assert!(took_plain_steps(&scene, &wanted));
    for threads in [2, 3, 7] {
        assert!(of(threads) == wanted, "{threads} threads");
    }
    assert!(scene.fills.iter().any(|fill| matches!(fill, Fill::Steps(_))));
}
