//! What every backend is put through: scenes, and the calls of them that are held to the reference.

use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Contained, Executor};
use wgfit::catalog::normalization::{self, NORMALIZATIONS, NormalizationSettings};
use wgfit::catalog::optimizer::muon::Adjust;
use wgfit::catalog::optimizer::{Convention, OptimizerForm};
use wgfit::catalog::{activation, loss, row_activation};
use wgfit::config::data::Task;
use wgfit::kernels::{Kernel, dropout_scale};
use wgfit::network::LayerShape;
use wgfit::program::{Call, Clip, LayerSettings, NONE, Orthogonalization, ProgramId, Update};

use super::Under;
use super::oracle::{Case, Fill, Noise, Scene, compare, differences, hold};

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

pub fn sizes(backends: &[Under]) {
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
pub fn deep(backends: &[Under]) {
    let case = Case { hidden: vec![23, 18], activation: "gelu", ..Case::default() };
    for dropout in [0.0, 0.3] {
        let scene = Scene::new(&Case { dropout, ..case.clone() });
        backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &|_| true));
    }
}

pub fn activations(backends: &[Under]) {
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

/// Layers whose activation is apart from the matrix product.
pub fn apart(backends: &[Under]) {
    let normalized = |layer: LayerShape, name: &str, convention| {
        let row = normalization::find(name).unwrap();
        LayerShape { normalization: Some(NormalizationSettings::new(row, convention)), ..layer }
    };
    let mut scenes = Vec::new();
    for row in &NORMALIZATIONS {
        for (convention, rows, dropout) in
            [(Convention::Torch, 21, 0.3), (Convention::Keras, 130, 0.0)]
        {
            let case = Case { rows, hidden: vec![67, 19], dropout, members: 2, ..Case::default() };
            scenes.push(Scene::with_layers(&case, &|_, layer| {
                normalized(layer, row.name, convention)
            }));
        }
    }
    let hidden = vec![23, 23, 23];
    for slopes in [0, 1, 23] {
        let activation = if slopes > 0 { "prelu" } else { "gelu" };
        let case = Case { hidden: hidden.clone(), activation, dropout: 0.3, ..Case::default() };
        let case = Case { members: 2, stopped: true, ..case };
        scenes.push(Scene::with_layers(&case, &|index, layer| {
            let layer = LayerShape { slopes, residual: index > 0, noise: 0.2, ..layer };
            if index == 1 { normalized(layer, "layer_norm", Convention::Keras) } else { layer }
        }));
    }
    let layer = |layer| LayerShape { alpha_dropout: true, ..layer };
    let case = Case { activation: "selu", dropout: 0.4, layer, ..Case::default() };
    scenes.push(Scene::new(&case));
    for name in ["softmax", "log_softmax"] {
        let row = row_activation::find(name);
        let mut scene = Case { loss: "mse", rows: 65, members: 2, ..Case::default() };
        scene.output = match name {
            "softmax" => {
                |output| LayerShape { row_activation: row_activation::find("softmax"), ..output }
            }
            _ => |output| LayerShape {
                row_activation: row_activation::find("log_softmax"),
                ..output
            },
        };
        assert!(row.is_some());
        scenes.push(Scene::new(&scene));
    }
    for scene in &scenes {
        backends.iter().for_each(|backend| hold(backend.as_ref(), scene, &|_| true));
    }
}

/// What becomes of a gradient beside the optimizer's step.
pub fn updates(backends: &[Under]) {
    let updates: [fn(Update) -> Update; 4] = [
        |update| Update { clip: Some(Clip::Value), ..update },
        |update| Update { clip: Some(Clip::Norm), ..update },
        |update| Update { clip: Some(Clip::GlobalNorm), ..update },
        |update| Update { average: true, ..update },
    ];
    let layer = |layer| LayerShape { max_norm: Some(0.75), ..layer };
    let which = |call: &Call| {
        !matches!(call.kernel, Kernel::DenseForward | Kernel::Loss | Kernel::InputGradient)
    };
    for keras in [false, true] {
        let form = OptimizerForm { keras, ..OptimizerForm::default() };
        for update in updates {
            let case = Case {
                optimizer: ("sgd", form),
                hidden: vec![70],
                update,
                layer,
                ..Case::default()
            };
            let scene = Scene::new(&Case { members: 3, stopped: true, ..case });
            backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &which));
        }
        for nesterov in [false, true] {
            let form = OptimizerForm { keras, with_momentum: true, nesterov, ..form };
            let update = |update| Update {
                orthogonalization: Some(Orthogonalization {
                    steps: 3,
                    epsilon: 0.25,
                    adjust: Adjust::MatchRmsAdamw,
                }),
                ..update
            };
            // A tall matrix, a wide one, and a square one.
            let case = Case { inputs: 13, hidden: vec![37, 20, 20], update, ..Case::default() };
            let scene = Scene::new(&Case { optimizer: ("muon", form), members: 2, ..case });
            backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &which));
        }
    }
}

pub fn losses(backends: &[Under]) {
    for row in &loss::LOSSES {
        for (rows, outputs) in [(1, 1), (21, 1), (63, 2), (64, 3), (65, 17), (130, 1)] {
            let classes = row.tasks.contains(&Task::Classification);
            if classes && outputs == 1 {
                continue;
            }
            for (soft, weighted) in [(false, false), (classes, true)] {
                let case = Case { loss: row.name, rows, outputs, members: 2, ..Case::default() };
                let scene = Scene::new(&Case { soft, weighted, collects: weighted, ..case });
                let which = |call: &Call| matches!(call.kernel, Kernel::Loss | Kernel::FinishStep);
                backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &which));
            }
        }
    }
}

pub fn optimizers(backends: &[Under]) {
    for row in &wgfit::catalog::optimizer::OPTIMIZERS {
        for form in OptimizerForm::all(row) {
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
pub fn not_finite(backends: &[Under]) {
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
        // The class whose output is bad is every row's.
        scene.reals_mut("train.targets").fill(2.0);
        let layer = scene.network.layers[1];
        scene.reals_mut("parameters")[layer.offsets.bias + 2] = bad;
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
/// The call that ends a fused step: every optimizer, in fours and one at a time.
pub fn fused_optimizers(backends: &[Under]) {
    let case = Case { fused: true, members: 3, stopped: true, ..Case::default() };
    let optimizers = wgfit::catalog::optimizer::OPTIMIZERS.iter();
    let forms = optimizers
        .filter(|row| !row.orthogonalises())
        .flat_map(|row| OptimizerForm::all(row).into_iter().map(move |form| (row.name, form)));
    for (index, optimizer) in forms.enumerate() {
        let (inputs, hidden) = [(11, vec![19]), (12, vec![20])][index % 2].clone();
        let scene = Scene::new(&Case { optimizer, inputs, hidden, ..case.clone() });
        backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &is_update));
    }
}

fn is_update(call: &Call) -> bool {
    call.kernel == Kernel::Update
}

/// Ragged and even widths, 1 to 18 layers.
pub fn fused_sizes(backends: &[Under]) {
    let case = Case { fused: true, members: 3, stopped: true, ..Case::default() };
    for (rows, inputs, hidden) in [
        (1, 1, vec![]),
        (3, 65, vec![]),
        (64, 64, vec![64, 128]),
        (65, 63, vec![65, 66, 67]),
        (127, 784, vec![13]),
        (7, 5, vec![6; 17]),
    ] {
        let scene = Scene::new(&Case { rows, inputs, hidden, ..case.clone() });
        backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &is_update));
    }
}

/// The fused form of a step gives what the plain one does.
pub fn fused_as_plain(backends: &[Under]) {
    let momentum = OptimizerForm { with_momentum: true, ..OptimizerForm::default() };
    let layer = |layer| LayerShape { max_norm: Some(0.75), ..layer };
    let update = |update| Update { average: true, ..update };
    for (inputs, hidden, members) in
        [(11, vec![23, 18, 9], 3), (12, vec![24, 8], 2), (5, vec![], 1)]
    {
        let case = Case {
            inputs,
            hidden,
            members,
            dropout: 0.25,
            optimizer: ("sgd", momentum),
            statistics: false,
            layer,
            update,
            ..Case::default()
        };
        let mut plain = Scene::new(&case);
        plain.reals_mut("parameters").iter_mut().for_each(|w| *w *= 0.5);
        // Every step of a fused program is a whole one.
        plain.steps_mut().iter_mut().for_each(|step| step.accumulates = 0);
        plain.begin();
        let mut fused = Scene::new(&Case { fused: true, ..case });
        fused.fill_as(&plain);
        let trained = |backend: &dyn Backend, scene: &Scene| {
            let mut executor = backend.load(&scene.plan).unwrap();
            scene.upload(executor.as_mut());
            executor.run(ProgramId(0), 1).unwrap();
            executor.run(ProgramId(0), 2).unwrap();
            let names = ["parameters", "average_parameters", "moment0", "train.train.log"];
            let reals = names.map(|name| {
                let id = scene.buffer(name);
                let words = scene.plan.buffers[id.0].words as usize;
                executor.read(&[(id, words)]).unwrap().remove(0).into_reals()
            });
            let state = executor.read(&[(scene.buffer("train.train.state"), members)]).unwrap();
            (reals, state)
        };
        let (wanted, state) = trained(&Reference::<f64>::new(), &plain);
        let stride = plain.network.stride;
        let tensors = plain.network.tensors();
        let trained_element = |element: usize| {
            tensors.iter().any(|t| (t.offset..t.offset + t.length).contains(&element))
        };
        for backend in backends {
            let (found, reached) = trained(backend.as_ref(), &fused);
            for (found, wanted) in found.iter().zip(&wanted) {
                let sentinel = vec![f64::MAX; wanted.len()];
                // What pads a tensor has no gradient of its own: the plain form steps it by what
                // its buffer held before.
                let is_arena = wanted.len() == members * stride;
                let bound = |i: usize| match is_arena && !trained_element(i % stride) {
                    true => f64::MAX,
                    false => 2e-5 * (0.1 + wanted[i].abs()),
                };
                compare(found, wanted, &sentinel, &bound).unwrap();
            }
            let places = |state: &[Contained]| -> Vec<_> {
                let states = state[0].clone().into_state();
                states.iter().map(|s| (s.cursor, s.bad_step, s.bad_element)).collect()
            };
            assert_eq!(places(&reached), places(&state), "{}", fused.name);
        }
    }
}

pub fn whole(backends: &[Under]) {
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
pub fn masks(backends: &[Under]) {
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
        let first = member * stride + layer.offsets.bias;
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
                let wanted = dropout_scale(layer, element, settings.batch);
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

pub fn read(executor: &mut dyn Executor, scene: &Scene, name: &str) -> Vec<f64> {
    let id = scene.buffer(name);
    let length = scene.plan.buffers[id.0].words as usize;
    executor.read(&[(id, length)]).unwrap().remove(0).into_reals()
}

/// More workgroups than one axis of a grid holds: an arena of more than 65535 * 64 * 4 elements.
pub fn large_arena(backends: &[Under]) {
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
