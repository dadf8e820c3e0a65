//! Numbers that are not finite, in a gradient or in the loss: they are found where they are.

use std::time::Instant;

use super::comparison::{Difference, Outcome, Worst, examine};
use super::training::{Trained, volume};
use super::{Case, Scene};
use crate::backend::{Backend, Contained};
use crate::error::Result;
use crate::kernels::Kernel;
use crate::program::{BufferId, Call, Contents, NONE, ProgramId};

/// What is not finite.
const BAD: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

fn case() -> Case {
    Case { members: 2, ..Case::default() }
}

/// Single calls that are to find such numbers. What is made of one may be NaN or infinite: only the
/// members' states are compared.
///
/// # Errors
/// When the backend refuses a call, or is lost.
pub fn of_calls(backend: &dyn Backend, which: &dyn Fn(&Call) -> bool) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for bad in BAD {
        let mut scene = Scene::new(&case())?;
        let stride = scene.network.stride;
        let gradients = scene.reals_mut("gradients")?;
        for element in [stride + 70, stride + 71, stride + 150] {
            gradients[element] = bad;
        }
        scene.reals_mut("activation.1")?[3] = bad;
        let which = |call: &Call| {
            matches!(call.kernel, Kernel::Loss | Kernel::OptimizerStep) && which(call)
        };
        for mut outcome in examine(backend, &scene, &which)? {
            outcome.worst = Worst::default();
            outcome.differences.retain(|difference| difference.contents == Contents::State);
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

/// Trainings in which member 0 stops at its first step with its weights as they were, and member 1
/// goes on; the log says so.
///
/// # Errors
/// When the backend refuses it, or is lost.
pub fn of_trainings(backend: &dyn Backend) -> Result<Vec<Trained>> {
    BAD.into_iter().map(|bad| of_training(backend, bad)).collect()
}

fn of_training(backend: &dyn Backend, bad: f64) -> Result<Trained> {
    let mut scene = Scene::new(&case())?;
    scene.begin();
    // The class whose output is bad is every row's.
    scene.reals_mut("train.targets")?.fill(2.0);
    let bias = scene.network.layers[1].offsets.bias;
    scene.reals_mut("parameters")?[bias + 2] = bad;
    let wanted: Vec<(BufferId, usize)> = [
        ("train.train.state", 2),
        ("parameters", 2 * scene.network.stride),
        ("train.train.log", 1),
    ]
    .into_iter()
    .map(|(name, length)| Ok((scene.buffer(name)?, length)))
    .collect::<Result<_>>()?;
    let begun = Instant::now();
    let mut executor = backend.load(&scene.plan)?;
    scene.upload(executor.as_mut())?;
    executor.run(ProgramId(0), 3)?;
    let read = executor.read(&wanted)?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut differences = Vec::new();
    let mut differ = |buffer: &str, contents: Contents, text: String| {
        let text = format!("{buffer} {text} (a bias is {bad})");
        differences.push(Difference { buffer: buffer.to_owned(), contents, text });
    };
    for contained in read {
        match contained {
            Contained::State(states) => {
                let found: Vec<_> = states.iter().map(|s| (s.bad_step, s.cursor)).collect();
                if found != [(1, 0), (NONE, 3)] {
                    let text = format!("has (bad step, cursor) {found:?}, not [(1, 0), (none, 3)]");
                    differ("train.train.state", Contents::State, text);
                }
            }
            Contained::Reals(arena) if arena.len() > 1 => {
                let before = scene.reals("parameters")?;
                let stride = scene.network.stride;
                let is_same = |member: usize| {
                    let own = member * stride..(member + 1) * stride;
                    let mut pairs = arena[own.clone()].iter().zip(&before[own]);
                    pairs.all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
                };
                if !is_same(0) {
                    let text = "of the member that stopped were changed".to_owned();
                    differ("parameters", Contents::Reals, text);
                }
                if is_same(1) {
                    let text = "of the member that goes on were left alone".to_owned();
                    differ("parameters", Contents::Reals, text);
                }
            }
            Contained::Reals(log) => {
                if log.iter().all(|loss| loss.is_finite()) {
                    differ("train.train.log", Contents::Reals, "is finite".to_owned());
                }
            }
            Contained::Scales(_) => {}
        }
    }
    let worst = Worst::default();
    Ok(Trained { worst, differences, seconds, volume: volume(&scene), was_whole: false })
}
