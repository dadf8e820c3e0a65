//! What every backend is put through: scenes, and the calls of them that are held to the reference.

use wgfit::backend::{Backend, Executor};
use wgfit::kernels::dropout_scale;
use wgfit::program::{Call, LayerSettings, ProgramId};
use wgfit::verify::{Case, Fill, Held, Scene, Training, examine, finiteness};

use super::Under;

/// Fails with the first few differences.
pub fn hold(backend: &dyn Backend, scene: &Scene, which: &dyn Fn(&Call) -> bool) {
    let outcomes = examine(backend, scene, which).unwrap();
    assert!(!outcomes.is_empty(), "no call was picked of {}", scene.name);
    let failures: Vec<String> = outcomes
        .iter()
        .flat_map(|outcome| {
            let what = format!("{} of {}", outcome.kernel.name(), outcome.subject);
            outcome.differences.iter().map(move |difference| format!("{what}: {}", difference.text))
        })
        .collect();
    let shown = failures.iter().take(4).cloned().collect::<Vec<_>>().join("\n");
    let device = &backend.device().name;
    assert!(
        failures.is_empty(),
        "{} differences on {device} of {}, such as\n{shown}",
        failures.len(),
        scene.name
    );
}

/// Holds all calls that are picked of some scenes.
pub fn hold_all(backends: &[Under], held: &[Held]) {
    assert!(!held.is_empty());
    for Held { scene, which } in held {
        backends.iter().for_each(|backend| hold(backend.as_ref(), scene, which));
    }
}

/// Holds some trainings, each of which must be run whole or not.
pub fn hold_trainings(backends: &[Under], trainings: &[Training], whole: bool) {
    assert!(!trainings.is_empty());
    for training in trainings {
        for backend in backends {
            let trained = training.examine(backend.as_ref()).unwrap();
            assert_eq!(trained.was_whole, whole, "{}", training.own.name);
            let device = &backend.device().name;
            assert!(trained.differences.is_empty(), "{device}: {:?}", trained.differences);
        }
    }
}

/// A number that is not finite, in a gradient or in the loss, is found where it is.
pub fn not_finite(backends: &[Under]) {
    for backend in backends {
        let outcomes = finiteness::of_calls(backend.as_ref(), &|_| true).unwrap();
        assert_eq!(outcomes.len(), 6);
        for outcome in outcomes {
            assert!(outcome.differences.is_empty(), "{:?}", outcome.differences);
        }
        for trained in finiteness::of_trainings(backend.as_ref()).unwrap() {
            assert!(trained.differences.is_empty(), "{:?}", trained.differences);
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
    })
    .unwrap();
    // Weights of 0 and biases of 1: the output is the mask.
    let layer = scene.network.layers[0];
    let stride = scene.network.stride;
    let arena = scene.reals_mut("parameters").unwrap();
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
    let steps = scene.steps_mut().unwrap().clone();
    for backend in backends {
        let mut executor = backend.load(&scene.apart()).unwrap();
        scene.upload(executor.as_mut()).unwrap();
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
    let id = scene.buffer(name).unwrap();
    let length = scene.plan.buffers[id.0].words as usize;
    executor.read(&[(id, length)]).unwrap().remove(0).into_reals()
}
