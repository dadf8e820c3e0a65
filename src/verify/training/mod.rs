//! Short trainings, held to the f64 reference that runs the plain form of every step.

mod lists;

use std::time::Instant;

pub use lists::{
    fused, plain, split, split_of_64_steps, unfused, whole, whole_of_losses, whole_of_optimizers,
    whole_of_sizes,
};

use super::comparison::{Difference, Worst, compare_within};
use super::scenes::shorten;
use super::tolerance::Tolerance;
use super::{Case, Fill, Scene};
use crate::backend::reference::Reference;
use crate::backend::{Backend, Contained, Executor};
use crate::catalog::activation::{self, ActivationSettings};
use crate::catalog::optimizer::Convention;
use crate::error::Result;
use crate::network::LayerShape;
use crate::program::{BufferId, Contents, MemberState, NONE, Plan, ProgramId};

/// What a training leaves, where its plan has it.
const LEFT: [&str; 7] = [
    "parameters",
    "average_parameters",
    "moment0",
    "moment1",
    "moment2",
    "train.train.log",
    "train.train.collected",
];

/// The state of the members.
const STATE: &str = "train.train.state";

/// A training in some form, and the same in the plain one.
#[derive(Debug, Clone)]
pub struct Training {
    /// What the reference runs.
    pub plain: Scene,
    /// What a device runs, from the same contents.
    pub own: Scene,
    /// Steps of each run of the program.
    pub runs: Vec<usize>,
    /// How far a number that is left may be off, as a share of it and a tenth.
    pub bound: f64,
}

/// What became of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The largest errors.
    pub worst: Worst,
    /// What is not right.
    pub differences: Vec<Difference>,
    /// The time that it took on the device.
    pub seconds: f64,
    /// Numbers that it trained, by the rows of a batch.
    pub volume: u64,
    /// Whether the device ran whole steps, many to a dispatch.
    pub was_whole: bool,
}

/// The size of a training.
pub(super) fn volume(scene: &Scene) -> u64 {
    let rows = scene.fills.iter().filter_map(|fill| match fill {
        Fill::Steps(steps) => steps.iter().map(|step| u64::from(step.rows)).max(),
        _ => None,
    });
    let network = &scene.network;
    (network.members * network.stride) as u64 * rows.max().unwrap_or(1)
}

/// Where a member stands: cursor, bad step and bad element.
fn place(state: &MemberState) -> (u32, u32, u32) {
    (state.cursor, state.bad_step, state.bad_element)
}

/// A scene that a training begins with: every step is a whole one, and weights are of a size that can
/// be trained.
fn begun(mut scene: Scene) -> Result<Scene> {
    scene.reals_mut("parameters")?.iter_mut().for_each(|w| *w *= 0.5);
    scene.steps_mut()?.iter_mut().for_each(|step| step.accumulates = 0);
    scene.begin();
    Ok(scene)
}

impl Training {
    /// A training whose steps' gradients are kept, of batches whose gradients are summed.
    ///
    /// # Errors
    /// When no plan can be made of the case.
    pub fn plain(case: &Case) -> Result<Self> {
        let mut plain = Scene::new(case)?;
        plain.reals_mut("parameters")?.iter_mut().for_each(|w| *w *= 0.5);
        plain.begin();
        Ok(Self { own: plain.clone(), plain, runs: vec![1, 2], bound: 2e-5 })
    }

    /// A training in the fused form.
    ///
    /// # Errors
    /// When no plan can be made of the case.
    pub fn fused(case: &Case) -> Result<Self> {
        let plain = begun(Scene::new(&Case { fused: false, statistics: false, ..case.clone() })?)?;
        let mut own = Scene::new(&Case { fused: true, statistics: false, ..case.clone() })?;
        own.fill_as(&plain)?;
        Ok(Self { plain, own, runs: vec![1, 2], bound: 2e-5 })
    }

    /// A training in the fused form that can be run whole: each layer has another activation.
    ///
    /// # Errors
    /// When no plan can be made of the case.
    pub fn whole(case: &Case) -> Result<Self> {
        let [plain, own] = whole_scenes(case)?;
        Ok(Self { plain, own, runs: vec![1, 2], bound: 2e-5 })
    }

    /// A training of so many steps whose gradients are made by parts of the batch, with the learning
    /// rate multiplied by `scale`.
    ///
    /// # Errors
    /// When no plan can be made of the case.
    pub fn split(case: &Case, steps: usize, scale: f64, bound: f64) -> Result<Self> {
        let unsplit = Case { split: false, table_steps: steps, ..case.clone() };
        let mut plain = Scene::new(&unsplit)?;
        plain.reals_mut("parameters")?.iter_mut().for_each(|w| *w *= 0.5);
        shorten(&mut plain, case.members)?;
        plain.steps_mut()?.iter_mut().for_each(|step| step.learning_rate *= scale);
        plain.begin();
        let mut own = Scene::new(&Case { table_steps: steps, ..case.clone() })?;
        own.fill_as(&plain)?;
        // What the gradient of a part was before must never show; what pads a tensor has none.
        let network = own.network.clone();
        let values = own.reals_mut("partial_gradients")?.iter_mut().enumerate();
        let past = f64::from(1e30_f32);
        let tensors = network.tensors();
        let is_trained = |element: usize| {
            let at = element % network.stride;
            tensors.iter().any(|t| (t.offset..t.offset + t.length).contains(&at))
        };
        values.for_each(|(i, x)| *x = if is_trained(i) { past } else { 0.0 });
        Ok(Self { plain, own, runs: vec![1, steps - 1], bound })
    }

    /// Trains on a backend and on the reference, and compares everything that is left.
    ///
    /// # Errors
    /// When the backend refuses it, or is lost.
    pub fn examine(&self, backend: &dyn Backend) -> Result<Trained> {
        let reference = Reference::<f64>::new();
        let mut oracle = reference.load(&self.plain.plan)?;
        self.plain.upload(oracle.as_mut())?;
        let begun = Instant::now();
        let mut under_test = backend.load(&self.own.plan)?;
        self.own.upload(under_test.as_mut())?;
        for steps in &self.runs {
            under_test.run(ProgramId(0), *steps)?;
        }
        let found = self.left(&self.own.plan, under_test.as_mut())?;
        let seconds = begun.elapsed().as_secs_f64();
        for steps in &self.runs {
            oracle.run(ProgramId(0), *steps)?;
        }
        let wanted = self.left(&self.plain.plan, oracle.as_mut())?;
        let mut trained = Trained {
            worst: Worst::default(),
            differences: Vec::new(),
            seconds,
            volume: volume(&self.own),
            was_whole: under_test.runs_whole_steps(ProgramId(0)),
        };
        for ((name, found), (_, wanted)) in found.into_iter().zip(wanted) {
            let (contents, compared) = match (found, wanted) {
                (Contained::Reals(found), Contained::Reals(wanted)) => {
                    (Contents::Reals, self.compare(&found, &wanted))
                }
                (found, wanted) => {
                    let [found, wanted] = [found, wanted]
                        .map(|states| states.into_state().iter().map(place).collect::<Vec<_>>());
                    let text = format!(
                        " has (cursor, bad step, bad element) {found:?}, but {wanted:?} is wanted"
                    );
                    let same = found == wanted;
                    (Contents::State, if same { Ok(Worst::default()) } else { Err(text) })
                }
            };
            match compared {
                Ok(worst) => trained.worst = trained.worst.max(worst),
                Err(text) => trained.differences.push(Difference {
                    buffer: name.to_owned(),
                    contents,
                    text: format!("{name}{text}"),
                }),
            }
        }
        Ok(trained)
    }

    /// What is left, by name, of what both plans have.
    fn left(
        &self,
        plan: &Plan,
        executor: &mut dyn Executor,
    ) -> Result<Vec<(&'static str, Contained)>> {
        let names = LEFT
            .iter()
            .chain([&STATE])
            .filter(|name| [&self.plain, &self.own].iter().all(|scene| scene.buffer(name).is_ok()));
        let names: Vec<&'static str> = names.copied().collect();
        let wanted: Vec<(BufferId, usize)> = names
            .iter()
            .map(|name| {
                let id = plan.buffer(name)?;
                Ok((id, plan.buffers[id.0].elements()))
            })
            .collect::<Result<_>>()?;
        Ok(names.into_iter().zip(executor.read(&wanted)?).collect())
    }

    fn compare(&self, found: &[f64], wanted: &[f64]) -> std::result::Result<Worst, String> {
        let network = &self.plain.network;
        let tensors = network.tensors();
        let is_arena = wanted.len() == network.members * network.stride;
        // What pads a tensor has no gradient of its own: it is stepped by what its buffer held.
        let is_padding = |element: usize| {
            let at = element % network.stride;
            is_arena && !tensors.iter().any(|t| (t.offset..t.offset + t.length).contains(&at))
        };
        let tolerance = |i: usize| {
            let size = 0.1 + wanted[i].abs();
            match is_padding(i) {
                true => Tolerance { bound: f64::MAX, size: f64::MAX },
                false => Tolerance { bound: self.bound * size, size },
            }
        };
        // No number that is wanted is this one.
        compare_within(found, wanted, &vec![f64::MAX; wanted.len()], &tolerance)
    }
}

/// The hidden layers' activations, by index: of the output, of the input, and linear.
const ACTIVATIONS: [&str; 4] = ["tanh", "gelu", "leaky_relu", "linear"];

/// The plain scene that a training of whole steps begins with, and the same in the fused form.
///
/// # Errors
/// When no plan can be made of the case.
pub fn whole_scenes(case: &Case) -> Result<[Scene; 2]> {
    let rows = ACTIVATIONS.map(activation::find);
    let scene = |fused: bool| {
        let case = Case { fused, statistics: false, ..case.clone() };
        Scene::with_layers(&case, &|index, layer| match rows[index % rows.len()] {
            Some(row) => {
                let activation = ActivationSettings::new(row, Convention::Torch);
                LayerShape { activation, ..layer }
            }
            None => layer,
        })
    };
    let mut plain = begun(scene(false)?)?;
    if case.stopped {
        for fill in &mut plain.fills {
            if let (Fill::State(states), last) = (fill, case.members - 1) {
                states[last] =
                    MemberState { cursor: 1, bad_step: 9, bad_element: NONE, backward: 1 };
            }
        }
    }
    let mut fused = scene(true)?;
    fused.fill_as(&plain)?;
    Ok([plain, fused])
}
