//! Short trainings, held to the f64 reference that runs the plain form of every step.

use std::time::Instant;

use super::comparison::{Difference, Worst, compare_within};
use super::scenes::{shorten, split_case};
use super::tolerance::Tolerance;
use super::{Case, Fill, Scene};
use crate::backend::reference::Reference;
use crate::backend::{Backend, Contained, Executor};
use crate::catalog::activation::{self, ActivationSettings};
use crate::catalog::optimizer::{Convention, OptimizerForm};
use crate::error::Result;
use crate::network::LayerShape;
use crate::program::{BufferId, Contents, MemberState, NONE, Plan, ProgramId, Update};

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

/// Rows, inputs, hidden units and outputs of small networks.
const SIZES: [(usize, usize, &[usize], usize); 5] = [
    (1, 1, &[], 1),
    (21, 11, &[23], 5),
    (130, 12, &[24, 65], 4),
    (33, 7, &[9, 70, 18], 3),
    (5, 3, &[4, 8, 4, 6], 2),
];

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

fn momentum() -> (&'static str, OptimizerForm) {
    ("sgd", OptimizerForm { with_momentum: true, ..OptimizerForm::default() })
}

/// Every form of optimizer, constraint and average behind the steps of a few networks.
fn constrained(case: Case) -> Case {
    let layer = |layer| LayerShape { max_norm: Some(0.75), ..layer };
    let update = |update| Update { average: true, ..update };
    Case { layer, update, dropout: 0.25, ..case }
}

/// A whole training call by call, of members that differ.
///
/// # Errors
/// Never.
pub fn plain() -> Result<Vec<Training>> {
    let sizes = Case { hidden: vec![23, 18, 9], members: 3, dropout: 0.25, ..Case::default() };
    Ok(vec![Training::plain(&Case { optimizer: momentum(), ..sizes })?])
}

/// Trainings in the plain form, as a backend runs them that does not fuse steps.
///
/// # Errors
/// Never.
pub fn unfused() -> Result<Vec<Training>> {
    let case = Case { optimizer: momentum(), members: 3, ..Case::default() };
    let sizes = SIZES.map(|(rows, inputs, hidden, outputs)| {
        let hidden = hidden.to_vec();
        Training::whole(&Case { rows, inputs, hidden, outputs, loss: "mse", ..case.clone() })
    });
    let sizes = sizes.into_iter().collect::<Result<Vec<_>>>()?;
    let mut all = [fused()?, sizes, whole_of_losses()?].concat();
    for training in &mut all {
        training.plain.settle_by_tensor()?;
        training.own = training.plain.clone();
    }
    Ok(all)
}

/// Fused steps give what plain ones do.
///
/// # Errors
/// Never.
pub fn fused() -> Result<Vec<Training>> {
    [(11, vec![23, 18, 9], 3), (12, vec![24, 8], 2), (5, vec![], 1)]
        .into_iter()
        .map(|(inputs, hidden, members)| {
            let case = Case { inputs, hidden, members, optimizer: momentum(), ..Case::default() };
            Training::fused(&constrained(case))
        })
        .collect()
}

/// Several members, dropout, a constraint and an average behind split steps; and 64 steps of a
/// training that learns.
///
/// # Errors
/// Never.
pub fn split() -> Result<Vec<Training>> {
    let keras = OptimizerForm { keras: true, ..OptimizerForm::default() };
    [
        (11, vec![23, 18, 9], 3, momentum()),
        (12, vec![24, 8], 2, ("adam", OptimizerForm::default())),
        (5, vec![], 1, ("rmsprop", keras)),
    ]
    .into_iter()
    .map(|(inputs, hidden, members, optimizer)| {
        let case = Case { inputs, hidden, members, optimizer, ..split_case() };
        Training::split(&constrained(case), 7, 1.0, 2e-5)
    })
    .collect()
}

/// 64 split steps of a training that learns: the rate is small enough for it.
///
/// # Errors
/// Never.
pub fn split_of_64_steps() -> Result<Training> {
    let optimizer = ("adam", OptimizerForm::default());
    let case = Case { inputs: 8, hidden: vec![16, 12], members: 2, optimizer, ..split_case() };
    Training::split(&case, 64, 0.05, 2e-4)
}

/// Whole steps of all sizes, of every family of losses and of several optimizers.
///
/// # Errors
/// Never.
pub fn whole() -> Result<Vec<Training>> {
    Ok([whole_of_sizes()?, whole_of_losses()?, whole_of_optimizers()?].concat())
}

/// Whole steps of all sizes.
///
/// # Errors
/// Never.
pub fn whole_of_sizes() -> Result<Vec<Training>> {
    let case = Case { optimizer: momentum(), members: 3, stopped: true, ..Case::default() };
    SIZES
        .into_iter()
        .map(|(rows, inputs, hidden, outputs)| {
            let dropout = if hidden.len() == 3 { 0.25 } else { 0.0 };
            let hidden = hidden.to_vec();
            let sizes =
                Case { rows, inputs, hidden, outputs, dropout, loss: "mse", ..case.clone() };
            Training::whole(&sizes)
        })
        .collect()
}

/// Whole steps of every family of losses.
///
/// # Errors
/// Never.
pub fn whole_of_losses() -> Result<Vec<Training>> {
    let case = Case { rows: 9, inputs: 3, hidden: vec![6], outputs: 3, ..Case::default() };
    [
        ("huber", false, true),
        ("poisson", false, false),
        ("gaussian_nll", false, false),
        ("categorical_cross_entropy", false, true),
        ("categorical_focal", true, false),
        ("categorical_hinge", false, false),
        ("binary_cross_entropy", false, false),
    ]
    .into_iter()
    .map(|(loss, soft, weighted)| {
        Training::whole(&Case { loss, soft, weighted, collects: weighted, ..case.clone() })
    })
    .collect()
}

/// Whole steps of several optimizers.
///
/// # Errors
/// Never.
pub fn whole_of_optimizers() -> Result<Vec<Training>> {
    let case = Case { rows: 9, inputs: 4, hidden: vec![6], members: 3, ..Case::default() };
    let alike: fn(Update) -> Update = |update| Update { by_block: false, ..update };
    let keras = OptimizerForm { keras: true, amsgrad: true, ..OptimizerForm::default() };
    [
        ("adam", OptimizerForm::default()),
        ("adam", keras),
        ("nadam", OptimizerForm::default()),
        ("rmsprop", OptimizerForm::default()),
        ("adagrad", OptimizerForm::default()),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, optimizer)| {
        let update = if index % 2 == 0 { case.update } else { alike };
        Training::whole(&Case { optimizer, update, ..case.clone() })
    })
    .collect()
}
