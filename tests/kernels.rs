//! Every kernel of every backend against the f64 reference.

#[path = "common/oracle.rs"]
mod oracle;

use oracle::{Case, Fill, Noise, Scene, compare, differences, hold};
use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions, Tile, adapters};
use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Contained, Executor};
use wgfit::catalog::optimizer::OptimizerForm;
use wgfit::catalog::{activation, loss};
use wgfit::kernels::{Kernel, dropout_scale};
use wgfit::program::{BufferId, Call, LayerSettings, NONE, Plan, ProgramId};

/// A backend under test.
type Under = Box<dyn Backend>;

fn cpu() -> Vec<Under> {
    vec![Box::new(CpuBackend::with_threads(2).unwrap())]
}

fn reference() -> Vec<Under> {
    vec![Box::new(Reference::<f32>::new())]
}

fn gpu_with(tile: Tile, checked: bool) -> Under {
    let adapters = adapters();
    let adapter = adapters.first().expect(
        "no GPU adapter, not even a software one: `apt-get install mesa-vulkan-drivers` gives \
         lavapipe on Debian and Ubuntu; without a desktop session, set XDG_RUNTIME_DIR to a folder",
    );
    let options = GpuOptions { tile: Some(tile), checked_shaders: Some(checked) };
    Box::new(GpuBackend::new(adapter, options).unwrap())
}

/// Both tiles.
fn gpu() -> Vec<Under> {
    Tile::ALL.into_iter().map(|tile| gpu_with(tile, false)).collect()
}

/// Both tiles, with shaders as they are and checked.
fn gpu_all() -> Vec<Under> {
    [false, true]
        .into_iter()
        .flat_map(|checked| Tile::ALL.into_iter().map(move |tile| gpu_with(tile, checked)))
        .collect()
}

/// One of them, for kernels that have no tile.
fn gpu_once() -> Vec<Under> {
    vec![gpu_with(Tile::ALL[0], false)]
}

fn matmul(call: &Call) -> bool {
    call.kernel.is_matmul()
}

/// (rows, inputs, units): 1, about the tiles of 4, 8, 16, 32 and 64, primes, a deep product.
const SIZES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [3, 4, 5],
    [4, 8, 4],
    [5, 17, 3],
    [7, 33, 31],
    [15, 16, 16],
    [16, 15, 17],
    [32, 31, 33],
    [63, 65, 64],
    [64, 64, 64],
    [65, 63, 65],
    [127, 13, 67],
    [1, 784, 61],
    [66, 784, 16],
];

fn sizes(backends: &[Under]) {
    for [rows, inputs, units] in SIZES {
        for members in [1, 3] {
            let stopped = members == 3 && rows % 2 == 1;
            let scene = Scene::new(&Case {
                rows,
                inputs,
                hidden: vec![units],
                members,
                activation: "relu",
                stopped,
                ..Case::default()
            });
            for backend in backends {
                hold(backend.as_ref(), &scene, &|_| true);
            }
        }
    }
}

/// Layers that read the layer below, not the data set, with an activation.
fn deep(backends: &[Under]) {
    let case = Case { hidden: vec![23, 18], activation: "gelu", ..Case::default() };
    for dropout in [0.0, 0.3] {
        let scene = Scene::new(&Case { dropout, ..case.clone() });
        backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &|_| true));
    }
}

fn activations(backends: &[Under]) {
    for row in &activation::ACTIVATIONS {
        for dropout in [0.0, 0.4] {
            let case = Case { activation: row.name, dropout, members: 2, ..Case::default() };
            let mut scene = Scene::new(&case);
            // Small, large and middling arguments of the activation.
            let mut noise = Noise::new(3);
            for x in scene.reals_mut("train.features") {
                *x = f64::from((*x * [0.01, 1.0, 20.0][noise.bits() as usize % 3]) as f32);
            }
            backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &matmul));
        }
    }
}

fn losses(backends: &[Under]) {
    for row in &loss::LOSSES {
        for (rows, outputs) in [(1, 1), (21, 1), (63, 2), (64, 3), (65, 17), (130, 1)] {
            if row.name == "categorical_cross_entropy" && outputs == 1 {
                continue;
            }
            let scene =
                Scene::new(&Case { loss: row.name, rows, outputs, members: 2, ..Case::default() });
            let which = |call: &Call| matches!(call.kernel, Kernel::Loss | Kernel::FinishStep);
            backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &which));
        }
    }
}

fn forms(name: &str) -> Vec<OptimizerForm> {
    let all = (0..16).map(|bits| OptimizerForm {
        keras: bits & 1 != 0,
        with_momentum: bits & 2 != 0,
        nesterov: bits & 4 != 0,
        centered: bits & 8 != 0,
    });
    all.filter(|form| match name {
        "sgd" => !form.centered,
        "rmsprop" => !form.nesterov,
        _ => !form.with_momentum && !form.nesterov && !form.centered,
    })
    .collect()
}

fn optimizers(backends: &[Under]) {
    for row in &wgfit::catalog::optimizer::OPTIMIZERS {
        for form in forms(row.name) {
            let case =
                Case { optimizer: (row.name, form), members: 3, stopped: true, ..Case::default() };
            let scene = Scene::new(&case);
            let which = |call: &Call| {
                matches!(call.kernel, Kernel::GradientStatistics | Kernel::OptimizerStep)
            };
            backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &which));
        }
    }
}

/// A number that is not finite, in a gradient or in the loss, is found where it is.
fn not_finite(backends: &[Under]) {
    let case = Case { members: 2, ..Case::default() };
    let stride = Scene::new(&case).network.stride;
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut scene = Scene::new(&case);
        for element in [stride + 70, stride + 71, stride + 150] {
            scene.reals_mut("gradients")[element] = bad;
        }
        scene.reals_mut("activation.1")[3] = bad;
        let which = |call: &Call| matches!(call.kernel, Kernel::Loss | Kernel::OptimizerStep);
        for backend in backends {
            // What is made of a bad number may be NaN or infinite: only the states are compared.
            let failures = differences(backend.as_ref(), &scene, &which);
            let states: Vec<_> =
                failures.iter().filter(|failure| failure.contains("bad_step")).collect();
            assert!(states.is_empty(), "{states:?}");
        }

        // A whole run: member 0 stops at its first step with its weights as they were, member 1
        // goes on.
        let mut scene = Scene::new(&case);
        scene.begin();
        let layer = scene.network.layers[1];
        scene.reals_mut("parameters")[layer.bias_offset + 2] = bad;
        for backend in backends {
            let mut executor = backend.load(&scene.plan).unwrap();
            scene.upload(executor.as_mut());
            executor.run(ProgramId(0), 3).unwrap();
            let state = scene.buffer("train.train.state");
            let states = executor.read(&[(state, 2)]).unwrap().remove(0).into_state();
            assert_eq!((states[0].bad_step, states[0].cursor), (1, 0), "{bad}");
            assert_eq!((states[1].bad_step, states[1].cursor), (NONE, 3), "{bad}");
            let arena = read(executor.as_mut(), &scene, "parameters");
            let before = scene.reals("parameters");
            let same = |range: std::ops::Range<usize>| {
                arena[range.clone()]
                    .iter()
                    .zip(&before[range])
                    .all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
            };
            assert!(same(0..stride) && !same(stride..2 * stride), "{bad}");
            // The log says so.
            assert!(!read(executor.as_mut(), &scene, "train.train.log")[0].is_finite());
        }
    }
}

/// A whole training step by step, of members that differ.
fn whole(backends: &[Under]) {
    let momentum = OptimizerForm { with_momentum: true, ..OptimizerForm::default() };
    let mut scene = Scene::new(&Case {
        hidden: vec![23, 18, 9],
        members: 3,
        dropout: 0.25,
        optimizer: ("sgd", momentum),
        ..Case::default()
    });
    scene.reals_mut("parameters").iter_mut().for_each(|w| *w *= 0.5);
    scene.begin();
    let trained = |backend: &dyn Backend| {
        let mut executor = backend.load(&scene.plan).unwrap();
        scene.upload(executor.as_mut());
        executor.run(ProgramId(0), 1).unwrap();
        executor.run(ProgramId(0), 2).unwrap();
        ["parameters", "gradients", "moment0", "train.train.log", "train.train.state"].map(|name| {
            let id = scene.buffer(name);
            let words = scene.plan.buffers[id.0].words as usize;
            let length = if name.ends_with("state") { words / 4 } else { words };
            executor.read(&[(id, length)]).unwrap().remove(0)
        })
    };
    let wanted = trained(&Reference::<f64>::new());
    for backend in backends {
        for (found, wanted) in trained(backend.as_ref()).into_iter().zip(&wanted) {
            match (found, wanted) {
                (Contained::Reals(found), Contained::Reals(wanted)) => {
                    let sentinel = vec![f64::MAX; wanted.len()];
                    let bound = |i: usize| 2e-5 * (0.1 + wanted[i].abs());
                    compare(&found, wanted, &sentinel, &bound).unwrap();
                }
                (found, wanted) => assert_eq!(&found, wanted),
            }
        }
    }
}

/// The mask itself, bit for bit, and its share of kept elements.
fn masks(backends: &[Under]) {
    let rate = 0.37;
    let mut scene = Scene::new(&Case {
        rows: 130,
        hidden: vec![67],
        members: 3,
        dropout: rate,
        activation: "linear",
        ..Case::default()
    });
    // Weights of 0 and biases of 1: the output is the mask.
    let layer = scene.network.layers[0];
    let stride = scene.network.stride;
    let arena = scene.reals_mut("parameters");
    arena.fill(0.0);
    for member in 0..3 {
        let first = member * stride + layer.bias_offset;
        arena[first..first + layer.units].fill(1.0);
    }
    let Some(Fill::Layers(layers)) =
        scene.fills.iter().find(|fill| matches!(fill, Fill::Layers(_))).cloned()
    else {
        panic!("no layers")
    };
    let steps = scene.steps_mut().clone();
    for backend in backends {
        let mut executor = backend.load(&scene.apart()).unwrap();
        scene.upload(executor.as_mut());
        executor.run(ProgramId(0), 1).unwrap();
        let found = read(executor.as_mut(), &scene, "activation.0");
        let mut kept = 0;
        let mut all = 0;
        for member in 0..3_usize {
            let settings = &steps[member % 2 * 3 + member];
            let layer: &LayerSettings = &layers[member * 2];
            for element in 0..settings.rows * 67 {
                let wanted = dropout_scale(layer, element, settings.step);
                let found = found[member * 130 * 67 + element as usize];
                assert_eq!((found as f32).to_bits(), wanted.to_bits(), "{member} {element}");
                kept += u32::from(wanted != 0.0);
                all += 1;
            }
        }
        let deviation = (rate * (1.0 - rate) / f64::from(all)).sqrt();
        let share = f64::from(kept) / f64::from(all);
        assert!((share - (1.0 - rate)).abs() < 4.0 * deviation, "{share}");
    }
}

fn read(executor: &mut dyn Executor, scene: &Scene, name: &str) -> Vec<f64> {
    let id = scene.buffer(name);
    let length = scene.plan.buffers[id.0].words as usize;
    executor.read(&[(id, length)]).unwrap().remove(0).into_reals()
}

/// More workgroups than one axis of a grid holds: an arena of more than 65535 * 64 * 4 elements.
fn large_arena(backends: &[Under]) {
    let scene = Scene::new(&Case {
        rows: 1,
        inputs: 4100,
        hidden: vec![],
        outputs: 4100,
        ..Case::default()
    });
    assert!(scene.network.stride > 65_535 * 256);
    let which = |call: &Call| call.kernel == Kernel::OptimizerStep;
    backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &which));
}

macro_rules! for_backends {
    ($($module:ident: $backends:expr, $once:expr, $all:expr;)*) => {
        $(
            mod $module {
                use super::*;

                #[test]
                fn matrix_products_of_all_sizes() {
                    sizes(&$backends);
                }

                #[test]
                fn layers_above_the_first() {
                    deep(&$all);
                }

                #[test]
                fn every_activation() {
                    activations(&$backends);
                }

                #[test]
                fn every_loss_and_term() {
                    losses(&$once);
                }

                #[test]
                fn every_optimizer_and_form() {
                    optimizers(&$once);
                }

                #[test]
                fn numbers_that_are_not_finite() {
                    not_finite(&$once);
                }

                #[test]
                fn a_whole_training() {
                    whole(&$all);
                }

                #[test]
                fn dropout_masks() {
                    masks(&$backends);
                }
            }
        )*
    };
}

for_backends! {
    on_the_cpu: cpu(), cpu(), cpu();
    on_the_reference_in_f32: reference(), reference(), reference();
    on_the_gpu: gpu(), gpu_once(), gpu_all();
}

#[test]
fn an_arena_past_65535_workgroups_on_the_cpu() {
    large_arena(&cpu());
}

#[test]
fn an_arena_past_65535_workgroups_on_the_gpu() {
    large_arena(&gpu_once());
}

/// Products and passes that threads share are the same bits as on one thread.
#[test]
fn the_cpus_numbers_do_not_depend_on_its_threads() {
    let case = Case {
        rows: 130,
        inputs: 300,
        hidden: vec![517, 331],
        activation: "silu",
        dropout: 0.2,
        optimizer: ("adam", OptimizerForm::default()),
        ..Case::default()
    };
    let scene = Scene::new(&case);
    let trained = |threads: usize| {
        let backend = CpuBackend::with_threads(threads).unwrap();
        let mut executor = backend.load(&scene.plan).unwrap();
        scene.upload(executor.as_mut());
        executor.run(ProgramId(0), 3).unwrap();
        scene.download(executor.as_mut())
    };
    let wanted = trained(1);
    for threads in [2, 3, 5] {
        assert!(trained(threads) == wanted, "{threads} threads");
    }
}

#[test]
fn the_comparator_rejects_what_it_should() {
    let wanted = [1.0, -2.0, 0.5, 0.0];
    let before = [9.0, 9.0, 9.0, 0.0];
    let bound = |_| 1e-6;
    let check = |found: &[f64]| compare(found, &wanted, &before, &bound);
    check(&wanted).unwrap();
    check(&[1.000_000_5, -2.0, 0.5, 0.0]).unwrap();
    // A planted error; a sign; swapped elements; an output left untouched; one written beyond.
    assert!(check(&[1.000_002, -2.0, 0.5, 0.0]).is_err());
    assert!(check(&[1.0, 2.0, 0.5, 0.0]).is_err());
    assert!(check(&[-2.0, 1.0, 0.5, 0.0]).is_err());
    assert!(check(&before).is_err());
    assert!(check(&[1.0, -2.0, 0.5, 1e-9]).is_err());
    // Lengths, NaN on either side, infinities, a bound that is NaN.
    assert!(check(&wanted[..3]).is_err());
    assert!(check(&[]).is_err());
    assert!(check(&[f64::NAN, -2.0, 0.5, 0.0]).is_err());
    assert!(compare(&[1.0], &[f64::NAN], &[9.0], &bound).is_err());
    compare(&[f64::NAN], &[f64::NAN], &[9.0], &bound).unwrap();
    assert!(compare(&[f64::INFINITY], &[1.0], &[9.0], &bound).is_err());
    assert!(compare(&[1.0], &[f64::INFINITY], &[9.0], &bound).is_err());
    assert!(compare(&[f64::NEG_INFINITY], &[f64::INFINITY], &[9.0], &bound).is_err());
    assert!(compare(&[1.0], &[1.5], &[9.0], &|_| f64::NAN).is_err());
}

/// A backend that is wrong on purpose: the harness must see it.
#[test]
fn the_harness_sees_a_backend_that_is_wrong() {
    struct Wrong(fn(&mut Plan));
    impl Backend for Wrong {
        fn device(&self) -> &wgfit::backend::DeviceDescription {
            static DEVICE: std::sync::OnceLock<wgfit::backend::DeviceDescription> =
                std::sync::OnceLock::new();
            DEVICE.get_or_init(|| Reference::<f32>::new().device().clone())
        }
        fn capacity(&self) -> wgfit::backend::Capacity {
            Reference::<f32>::new().capacity()
        }
        fn load(&self, plan: &Plan) -> wgfit::Result<Box<dyn Executor>> {
            let mut plan = plan.clone();
            (self.0)(&mut plan);
            Reference::<f32>::new().load(&plan)
        }
    }
    fn each(plan: &mut Plan, change: impl Fn(&mut wgfit::kernels::Parameters)) {
        for program in &mut plan.programs {
            program.calls.iter_mut().for_each(|call| change(&mut call.parameters));
        }
    }
    use wgfit::kernels::Parameters as P;
    let scene = Scene::new(&Case { members: 2, ..Case::default() });
    type Mistake = (&'static str, fn(&mut Plan));
    let mistakes: [Mistake; 7] = [
        ("nothing is written", |plan| {
            plan.programs.iter_mut().for_each(|program| program.calls.clear());
        }),
        ("the depth is one less", |plan| {
            each(plan, |p| {
                if let P::InputGradient(p) = p {
                    p.outputs -= 1
                }
            });
        }),
        ("a bias too far", |plan| {
            each(plan, |p| {
                if let P::DenseForward(p) = p {
                    p.bias_offset += 1
                }
            });
        }),
        ("one member", |plan| plan.members = 1),
        ("a column less", |plan| {
            each(plan, |p| {
                if let P::DenseForward(p) = p {
                    p.outputs -= 1
                }
            });
        }),
        ("other activation", |plan| {
            for program in &mut plan.programs {
                for call in &mut program.calls {
                    if let Some(taken) = &mut call.variants.activation {
                        taken.row = activation::find("silu").unwrap();
                    }
                }
            }
        }),
        ("another buffer as input", |plan| {
            for program in &mut plan.programs {
                for call in &mut program.calls {
                    for (name, id) in &mut call.bindings {
                        if *name == "input" {
                            *id = BufferId(0);
                        }
                    }
                }
            }
        }),
    ];
    assert!(differences(&Wrong(|_| ()), &scene, &|_| true).is_empty());
    for (name, mistake) in mistakes {
        assert!(!differences(&Wrong(mistake), &scene, &|_| true).is_empty(), "{name}");
    }
}
