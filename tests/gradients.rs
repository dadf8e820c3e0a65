//! The gradient that the backward kernels make against central differences of the loss that the
//! forward kernels make, both in f64.

use std::ops::Range;

use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Executor};
use wgfit::catalog::activation::ActivationSettings;
use wgfit::catalog::loss::LossRow;
use wgfit::catalog::normalization::NormalizationSettings;
use wgfit::catalog::optimizer::Convention;
use wgfit::catalog::{activation, loss, normalization, row_activation};
use wgfit::config::data::Task;
use wgfit::kernels::Kernel;
use wgfit::kernels::optimizer_step::BLOCK_SETTINGS;
use wgfit::network::{EmbeddingShape, LayerShape, Sharing, Tensor};
use wgfit::program::{Program, ProgramId};
use wgfit::verify::{Case, Fill, Scene};

/// Relative step of a central difference.
const STEP: f64 = 1e-5;

const FORWARD: [Kernel; 7] = [
    Kernel::AdaptWeights,
    Kernel::Embedding,
    Kernel::DenseForward,
    Kernel::Normalize,
    Kernel::LayerOutput,
    Kernel::RowActivation,
    Kernel::Loss,
];

const BACKWARD: [Kernel; 12] = [
    Kernel::RowActivationGradient,
    Kernel::SlopeGradient,
    Kernel::LayerGradient,
    Kernel::ScaleGradient,
    Kernel::NormalizeGradient,
    Kernel::WeightGradient,
    Kernel::InputGradient,
    Kernel::ZeroGradients,
    Kernel::EmbeddingGradient,
    Kernel::AdapterGradient,
    Kernel::ShareGradients,
    Kernel::GradientStatistics,
];

/// Two programs: forward and loss; and everything but the optimizer and the end of the step.
fn prepared(
    case: &Case,
    layer: &dyn Fn(usize, LayerShape) -> LayerShape,
) -> (Scene, Box<dyn Executor>) {
    let mut scene = Scene::with_layers(case, layer).unwrap();
    let tensors = scene.network.tensors();
    let (stride, members) = (scene.network.stride, scene.network.members);
    let heads = scene.network.heads;
    let parameters = scene.reals_mut("parameters").unwrap();
    parameters.iter_mut().for_each(|w| *w *= 0.7);
    for tensor in tensors.iter().filter(|tensor| tensor.is_shared) {
        for member in 0..members {
            let first = (member - member % heads) * stride + tensor.offset;
            parameters.copy_within(first..first + tensor.length, member * stride + tensor.offset);
        }
    }
    scene.steps_mut().unwrap().iter_mut().for_each(|step| {
        (step.accumulates, step.updates) = (0, 1);
        step.share = 1.0 / f64::from(step.rows);
    });
    let calls = scene.plan.programs[0].calls.clone();
    let of = |name: &str, wanted: &[Kernel]| Program {
        name: name.to_owned(),
        calls: calls.iter().filter(|call| wanted.contains(&call.kernel)).cloned().collect(),
    };
    scene.plan.programs =
        vec![of("forward", &FORWARD), of("backward", &[&FORWARD[..], &BACKWARD[..]].concat())];
    let mut executor = Reference::<f64>::new().load(&scene.plan).unwrap();
    scene.upload(executor.as_mut()).unwrap();
    (scene, executor)
}

fn read(executor: &mut dyn Executor, scene: &Scene, name: &str) -> Vec<f64> {
    let id = scene.buffer(name).unwrap();
    let length = scene.plan.buffers[id.0].words as usize;
    executor.read(&[(id, length)]).unwrap().remove(0).into_reals()
}

/// The sum of the mean losses of the batches of some members, the heads of one network, with an element
/// of their parameters moved.
fn loss_at(
    executor: &mut dyn Executor,
    scene: &Scene,
    heads: Range<usize>,
    moved: (&[usize], f64),
) -> f64 {
    let mut arena = scene.reals("parameters").unwrap().to_vec();
    moved.0.iter().for_each(|at| arena[*at] += moved.1);
    executor.write_reals(scene.buffer("parameters").unwrap(), &arena).unwrap();
    executor.run(ProgramId(0), 1).unwrap();
    let statistics = read(executor, scene, "row_statistics");
    let stride = statistics.len() / scene.plan.members;
    let width = scene.plan.statistics;
    let of = |member: usize| {
        let rows = rows_of(scene, member);
        let mine = &statistics[member * stride..][..rows * width];
        mine.iter().step_by(width).sum::<f64>() / rows as f64
    };
    heads.map(of).sum()
}

/// Where an element of a member's tensor lies: in every head that has it.
fn places(scene: &Scene, member: usize, tensor: &Tensor, element: usize) -> Vec<usize> {
    let heads = if tensor.is_shared { heads_of(scene, member) } else { member..member + 1 };
    heads.map(|head| head * scene.network.stride + tensor.offset + element).collect()
}

fn heads_of(scene: &Scene, member: usize) -> Range<usize> {
    let heads = scene.network.heads;
    let first = member - member % heads;
    first..first + heads
}

fn rows_of(scene: &Scene, member: usize) -> usize {
    let steps = scene.fills.iter().find_map(|fill| match fill {
        Fill::Steps(steps) => Some(steps),
        _ => None,
    });
    // Members stand at steps 0, 1, 0, ...
    steps.unwrap()[member % 2 * scene.plan.members + member].rows as usize
}

fn central_differences(case: &Case) {
    central_differences_with(case, &|_, layer| (case.layer)(layer));
}

/// The hidden layers are what `layer` makes of their index and their plain shape.
fn central_differences_with(case: &Case, layer: &dyn Fn(usize, LayerShape) -> LayerShape) {
    let (scene, mut executor) = prepared(case, layer);
    let executor = executor.as_mut();
    executor.run(ProgramId(1), 1).unwrap();
    let gradients = read(executor, &scene, "gradients");
    let arena = scene.reals("parameters").unwrap();
    let stride = scene.network.stride;
    let mut worst = 0.0_f64;
    let mut checked = 0;
    for member in 0..scene.plan.members {
        let own = &gradients[member * stride..(member + 1) * stride];
        let scale = own.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        assert!(scale > 1e-4, "the gradient is nothing: {case:?}");
        for tensor in scene.network.tensors() {
            if !tensor.kind.is_trained() {
                continue;
            }
            for element in (0..tensor.length).step_by(tensor.length.div_ceil(13)) {
                let at = member * stride + tensor.offset + element;
                let w = arena[at];
                let step = STEP * w.abs().max(1.0);
                let places = places(&scene, member, &tensor, element);
                let mut moved =
                    |by| loss_at(executor, &scene, heads_of(&scene, member), (&places, by));
                let (above, below) = (moved(step), moved(-step));
                let numeric = (above - below) / (2.0 * step);
                let error = (numeric - gradients[at]).abs() / gradients[at].abs().max(0.01 * scale);
                assert!(
                    error < 1e-6,
                    "{} [{element}] of member {member}: {} backwards, {numeric} by differences ({case:?})",
                    tensor.name,
                    gradients[at]
                );
                worst = worst.max(error);
                checked += 1;
            }
        }
    }
    assert!(checked > 10 && worst.is_finite());
}

/// The heads of one network, of two side by side, and beside layers of each head's own: what is shared is
/// moved by the losses of all heads.
#[test]
fn of_weights_that_heads_share() {
    let tabm = Sharing { input_adapter: true, output_adapter: true, bias: false };
    let mini = Sharing { output_adapter: false, bias: true, ..tabm };
    let above = Sharing { input_adapter: false, ..mini };
    for (hidden, members, networks, sharings) in [
        (vec![7, 6], 3, 1, [Some(tabm), Some(tabm)]),
        (vec![7, 6], 4, 2, [Some(mini), Some(above)]),
        (vec![5, 5], 2, 1, [None, Some(tabm)]),
    ] {
        let embeddings = vec![EmbeddingShape { column: 1, categories: 5, size: 3 }];
        let case = Case { hidden, members, networks, embeddings, ..case() };
        central_differences_with(&case, &|index, layer| LayerShape {
            sharing: sharings[index],
            residual: index == 1 && members == 2,
            ..layer
        });
    }
}

/// Three layers, two members, rows that are few enough for the kinks of relu to be far.
fn case() -> Case {
    Case { rows: 6, inputs: 5, hidden: vec![7, 6], outputs: 4, members: 2, ..Case::default() }
}

#[test]
fn every_activation() {
    for row in &activation::ACTIVATIONS {
        central_differences(&Case { activation: row.name, ..case() });
    }
}

#[test]
fn every_activation_with_dropout() {
    for row in &activation::ACTIVATIONS {
        central_differences(&Case { activation: row.name, dropout: 0.3, ..case() });
    }
}

/// Values of a loss's parameters beside its defaults, each of which shows.
fn other_values(row: &LossRow) -> [f64; 3] {
    let mut values = [0.0; 3];
    for (value, parameter) in values.iter_mut().zip(row.parameters) {
        *value = match parameter.name {
            "label_smoothing" => 0.15,
            "pos_weight" => 2.5,
            "gamma" => 1.5,
            "alpha" | "tau" => 0.3,
            "delta" | "beta" => 0.4,
            "epsilon" if row.name == "kl_divergence" => 0.01,
            "epsilon" => 3.0,
            "log_input" => 0.0,
            name => panic!("{name}: give it a value here"),
        };
    }
    values
}

#[test]
fn every_loss() {
    for row in &loss::LOSSES {
        let classes = row.tasks.contains(&Task::Classification);
        for outputs in [1, 2, 5] {
            if outputs == 1 && classes {
                continue;
            }
            for loss_values in [None, Some(other_values(row))] {
                for (soft, weighted) in [(false, false), (classes, true)] {
                    let loss = row.name;
                    let case = Case { loss, outputs, loss_values, soft, weighted, ..case() };
                    central_differences(&case);
                }
            }
        }
    }
}

fn normalized(layer: LayerShape, name: &str) -> LayerShape {
    let row = normalization::find(name).expect(name);
    let settings = NormalizationSettings::new(row, Convention::Keras);
    LayerShape { normalization: Some(settings), ..layer }
}

#[test]
fn every_normalization() {
    let layers: [fn(LayerShape) -> LayerShape; 3] = [
        |layer| normalized(layer, "batch_norm"),
        |layer| normalized(layer, "layer_norm"),
        |layer| normalized(layer, "rms_norm"),
    ];
    assert_eq!(layers.len(), normalization::NORMALIZATIONS.len());
    for layer in layers {
        for dropout in [0.0, 0.3] {
            central_differences(&Case { layer, dropout, ..case() });
        }
    }
}

#[test]
fn residual_layers_noise_and_alpha_dropout() {
    let hidden = vec![7, 7, 7];
    let layers: [fn(LayerShape) -> LayerShape; 3] = [
        |layer| LayerShape { alpha_dropout: true, ..layer },
        |layer| LayerShape { noise: 0.4, ..layer },
        |layer| normalized(LayerShape { noise: 0.2, ..layer }, "layer_norm"),
    ];
    for layer in layers {
        central_differences(&Case { layer, dropout: 0.3, hidden: hidden.clone(), ..case() });
    }
}

/// Only layers above the first can be added to: the last of three is, with all else it may have.
#[test]
fn residual_layers() {
    for slopes in [0, 1, 7] {
        let case = Case {
            hidden: vec![7, 7, 7],
            activation: if slopes > 0 { "prelu" } else { "tanh" },
            dropout: 0.2,
            ..case()
        };
        central_differences_with(&case, &|index, layer| {
            let layer = LayerShape { residual: index > 0, slopes, ..layer };
            if index == 2 { normalized(layer, "batch_norm") } else { layer }
        });
    }
}

#[test]
fn activations_of_the_output_layer() {
    let outputs: [fn(LayerShape) -> LayerShape; 3] = [
        |output| LayerShape { row_activation: row_activation::find("softmax"), ..output },
        |output| LayerShape { row_activation: row_activation::find("log_softmax"), ..output },
        |output| LayerShape {
            activation: ActivationSettings::new(
                activation::find("sigmoid").expect("sigmoid"),
                Convention::Torch,
            ),
            ..output
        },
    ];
    assert_eq!(row_activation::ROW_ACTIVATIONS.len(), 2);
    for output in outputs {
        central_differences(&Case { output, loss: "mse", ..case() });
    }
}

/// A table of few rows, each of which stands for several of the batch, and one of more than the batch
/// has.
#[test]
fn learned_tables() {
    let shape = |column, categories, size| EmbeddingShape { column, categories, size };
    let embeddings = vec![shape(1, 3, 4), shape(4, 9, 2)];
    for hidden in [vec![], vec![7, 6]] {
        for dropout in [0.0, 0.3] {
            let embeddings = embeddings.clone();
            let case = Case { embeddings, dropout, hidden: hidden.clone(), ..case() };
            central_differences(&case);
            central_differences_with(&case, &|_, layer| normalized(layer, "batch_norm"));
        }
    }
}

#[test]
fn one_layer() {
    central_differences(&Case { hidden: vec![], ..case() });
}

/// The squared norm of the gradient with its L1 and L2 terms, and the penalty that they are the
/// gradient of.
#[test]
fn l1_and_l2() {
    let (scene, mut executor) = prepared(&case(), &|_, layer| layer);
    let executor = executor.as_mut();
    executor.run(ProgramId(1), 1).unwrap();
    let (arena, settings) =
        (scene.reals("parameters").unwrap().to_vec(), scene.reals("block_settings").unwrap());
    let gradients = read(executor, &scene, "gradients");
    let partials = read(executor, &scene, "partials");
    let statistics = |arena: &[f64], executor: &mut dyn Executor, block: usize| {
        executor.write_reals(scene.buffer("parameters").unwrap(), arena).unwrap();
        executor.run(ProgramId(1), 1).unwrap();
        read(executor, &scene, "partials")[block * 2 + 1]
    };
    for block in (0..partials.len() / 2).step_by(3) {
        let mut squares = 0.0;
        let mut moved = arena.clone();
        for at in block * 64..(block + 1) * 64 {
            // Of the penalty, by differences, for some; by its formula for the others.
            let (l1, l2) = (settings[block * BLOCK_SETTINGS], settings[block * BLOCK_SETTINGS + 1]);
            let penalty = l1 * arena[at].signum() + l2 * arena[at];
            if at % 16 == 3 && arena[at].abs() > 1e-3 {
                moved[at] = arena[at] + STEP;
                let above = statistics(&moved, executor, block);
                moved[at] = arena[at] - STEP;
                let below = statistics(&moved, executor, block);
                moved[at] = arena[at];
                let numeric = (above - below) / (2.0 * STEP);
                assert!((numeric - penalty).abs() < 1e-8, "[{at}]: {penalty}, {numeric}");
            }
            squares += (gradients[at] + penalty).powi(2);
        }
        assert!((squares - partials[block * 2]).abs() < 1e-10 * squares, "block {block}");
    }
}
