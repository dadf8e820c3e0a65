//! Plans of f16: every kernel against the f64 reference, whose inputs are the same f16 numbers, within
//! the bounds of f32 and, of what is stored in f16, the rounding of one store. And what becomes of a
//! gradient that overflows.

use wgfit::backend::{Backend, Executor};
use wgfit::catalog::optimizer::OptimizerForm;
use wgfit::network::LayerShape;
use wgfit::program::{Contents, LossScale, NONE, PAST_F16, Precision, ProgramId};
use wgfit::verify::{Case, Fill, Scene, scenes};

use super::scenarios::{hold_all, read};
use super::{gpu_all, gpu_once};

fn case() -> Case {
    Case { precision: Precision::F16, ..Case::default() }
}

#[test]
fn products_of_all_sizes_in_f16() {
    hold_all(&gpu_all(), &scenes::halves_of_tiles().unwrap());
}

#[test]
fn everything_else_in_f16() {
    hold_all(&gpu_once(), &scenes::halves().unwrap());
}

/// The bytes of a buffer of a plan.
fn bytes(scene: &Scene, name: &str) -> u64 {
    scene.plan.buffers[scene.buffer(name).unwrap().0].words * 4
}

#[test]
fn data_activations_and_gradients_take_half_the_memory() {
    let own = Case { rows: 64, inputs: 12, hidden: vec![20, 36], activation: "gelu", ..case() };
    let layer = |layer| LayerShape { residual: false, noise: 0.1, ..layer };
    for (fused, layer) in [(false, own.layer), (true, own.layer), (false, layer)] {
        let own = Case { fused, layer, members: 2, ..own.clone() };
        let half = Scene::new(&own).unwrap();
        let full = Scene::new(&Case { precision: Precision::F32, ..own }).unwrap();
        let mut halved = 0;
        for spec in &full.plan.buffers {
            let stored = ["activation.", "pre_activation.", "delta."]
                .iter()
                .any(|name| spec.name.starts_with(name))
                || ["even", "odd", "train.features"].contains(&spec.name.as_str());
            let wanted = spec.words * 4 / if stored { 2 } else { 1 };
            assert_eq!(bytes(&half, &spec.name), wanted, "{}", spec.name);
            halved += u32::from(stored);
        }
        assert!(halved >= 7, "{halved}");
        let more = half.plan.buffers.len() - full.plan.buffers.len();
        let scales = half.buffer("train.train.loss_scale").unwrap();
        assert_eq!((more, half.plan.buffers[scales.0].contents), (1, Contents::Scales));
    }
}

/// What a training leaves that is begun with those scales, and the table's first `skipped` steps left
/// out: weights, moments, and the scales.
fn trained(
    backend: &dyn Backend,
    scene: &Scene,
    scales: [f32; 2],
    steps: usize,
) -> (Box<dyn Executor>, Vec<LossScale>) {
    let mut scene = scene.clone();
    for fill in &mut scene.fills {
        if let Fill::Scales(rows) = fill {
            *rows = scales.map(|scale| LossScale { scale, ..LossScale::START }).to_vec();
        }
    }
    let mut executor = backend.load(&scene.plan).unwrap();
    scene.upload(executor.as_mut()).unwrap();
    executor.run(ProgramId(0), steps).unwrap();
    let rows = executor.read(&[(scene.buffer("train.train.loss_scale").unwrap(), 2)]).unwrap();
    (executor, rows.into_iter().next().unwrap().into_scales())
}

fn overflow_scene(fused: bool) -> Scene {
    let mut scene = Scene::new(&Case {
        fused,
        members: 2,
        hidden: vec![23, 18],
        optimizer: ("adam", OptimizerForm::default()),
        statistics: false,
        table_steps: 6,
        ..case()
    })
    .unwrap();
    scene.reals_mut("parameters").unwrap().iter_mut().for_each(|w| *w *= 0.5);
    for step in scene.steps_mut().unwrap() {
        (step.accumulates, step.learning_rate) = (0, 0.01);
    }
    scene.begin();
    scene
}

/// A scale that is too large is backed off: the weights are those of a training whose table lacks
/// the skipped step, the other member's are what they are anyway.
#[test]
fn a_step_whose_gradient_overflows_is_as_if_it_had_never_been() {
    for backend in gpu_all() {
        for fused in [false, true] {
            let scene = overflow_scene(fused);
            let stride = scene.network.stride;
            let backend = backend.as_ref();
            let [large, fits] = [2_f32.powi(30), 256.0];
            let names = ["parameters", "moment0", "moment1"];
            let (mut first, scales) = trained(backend, &scene, [large, fits], 1);
            assert_eq!(
                (scales[0].scale, scales[0].overflowed, scales[0].steps),
                (large / 2.0, 1, 0)
            );
            assert_eq!((scales[1].scale, scales[1].overflowed, scales[1].steps), (fits, 0, 1));
            for name in names {
                let after = read(first.as_mut(), &scene, name);
                let before = scene.reals(name).unwrap();
                assert!(after[..stride] == before[..stride], "{name} of a skipped step");
                assert!(after[stride..] != before[stride..], "{name} of a step");
            }
            let state =
                first.read(&[(scene.buffer("train.train.state").unwrap(), 2)]).unwrap().remove(0);
            for state in state.into_state() {
                assert_eq!((state.cursor, state.bad_step, state.bad_element), (1, NONE, NONE));
            }

            // 2^18 is the first scale that takes a step: 12 of 2^30 ... 2^19 overflow. Too many for
            // the table: the scale begins at one more than what fits.
            let largest = largest_scale(backend, &scene);
            let (mut skipping, scales) = trained(backend, &scene, [largest * 2.0, fits], 4);
            assert_eq!((scales[0].scale, scales[0].overflowed, scales[0].steps), (largest, 1, 3));
            // The same table with its first step gone, for the first member.
            let mut without = scene.clone();
            for row in (0..8).step_by(2) {
                let next = without.steps_mut().unwrap()[row + 2];
                without.steps_mut().unwrap()[row] = next;
            }
            let (mut wanted, scales) = trained(backend, &without, [largest, fits], 3);
            assert_eq!((scales[0].scale, scales[0].steps), (largest, 3));
            for name in names {
                let found = read(skipping.as_mut(), &scene, name);
                let wanted = read(wanted.as_mut(), &scene, name);
                assert!(found[..stride] == wanted[..stride], "{name} after a skipped step");
            }
        }
    }
}

/// The largest scale with which none of three steps of the first member overflows, its first step
/// left out.
fn largest_scale(backend: &dyn Backend, scene: &Scene) -> f32 {
    let mut without = scene.clone();
    for row in (0..8).step_by(2) {
        let next = without.steps_mut().unwrap()[row + 2];
        without.steps_mut().unwrap()[row] = next;
    }
    let fits = |scale: f32| trained(backend, &without, [scale, 1.0], 3).1[0].overflowed == 0;
    let exponent = (8..30).rev().find(|exponent| fits(2_f32.powi(*exponent)));
    2_f32.powi(exponent.expect("some scale fits"))
}

/// A gradient that overflows without any scale is no matter of scales.
#[test]
fn a_gradient_past_f16_without_a_scale_is_told() {
    for fused in [false, true] {
        let mut scene = overflow_scene(fused);
        for step in scene.steps_mut().unwrap().iter_mut().step_by(2) {
            step.share = 1e7;
        }
        for backend in gpu_once() {
            let (mut executor, _) = trained(backend.as_ref(), &scene, [4.0, 16.0], 5);
            let state = executor
                .read(&[(scene.buffer("train.train.state").unwrap(), 2)])
                .unwrap()
                .remove(0);
            let states = state.into_state();
            assert_eq!((states[0].bad_element, states[0].bad_step), (PAST_F16, 3), "{fused}");
            assert_eq!((states[1].bad_element, states[1].cursor), (NONE, 5), "{fused}");
            let after = read(executor.as_mut(), &scene, "parameters");
            let stride = scene.network.stride;
            assert!(after[..stride] == scene.reals("parameters").unwrap()[..stride]);
        }
    }
}

/// Batches whose gradients make one step are skipped together.
#[test]
fn an_overflow_of_one_batch_skips_the_step_of_all() {
    let mut scene = overflow_scene(false);
    // Steps of two batches: the first batch of member 0's first step overflows.
    for (row, step) in scene.steps_mut().unwrap().iter_mut().enumerate() {
        let batch = row as u32 / 2;
        step.step = batch / 2 + 1;
        (step.accumulates, step.updates) = (batch % 2, batch % 2);
        if row == 0 {
            step.share = 1e7;
        }
    }
    let stride = scene.network.stride;
    for backend in gpu_once() {
        for (batches, same) in [(2, true), (4, false)] {
            let (mut executor, scales) = trained(backend.as_ref(), &scene, [64.0, 64.0], batches);
            let after = read(executor.as_mut(), &scene, "parameters");
            let before = scene.reals("parameters").unwrap();
            assert_eq!(after[..stride] == before[..stride], same, "{batches}");
            assert!(after[stride..] != before[stride..]);
            assert!(after.iter().all(|w| w.is_finite()));
            assert_eq!((scales[0].scale, scales[1].scale), (32.0, 64.0));
            assert_eq!(scales[1].steps, batches as u32 / 2);
        }
    }
}
