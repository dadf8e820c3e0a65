//! Fused steps whose gradients are made by parts of the batch.

use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Contained};
use wgfit::catalog::optimizer::{OPTIMIZERS, OptimizerForm};
use wgfit::kernels::{Kernel, Parameters};
use wgfit::network::LayerShape;
use wgfit::program::{Call, ProgramId, Update};

use super::oracle::{Case, Scene, compare, hold};
use super::{Under, gpu, gpu_all, gpu_once, reference};

/// Rows of a batch, of which four parts of 516 are made.
const ROWS: usize = 2051;

/// Rows of batches that fill all parts, three, two or one, and end in the middle of a row of quads
/// or with the last row of a part.
const SHORT: [u32; 6] = [2051, 1549, 1548, 700, 516, 2];

fn case() -> Case {
    Case { rows: ROWS, fused: true, split: true, statistics: false, ..Case::default() }
}

/// Batches of different rows, the members' own too; none but full ones for the first step.
fn shorten(scene: &mut Scene, members: usize) {
    for (at, step) in scene.steps_mut().iter_mut().enumerate() {
        let (step_at, member) = (at / members, at % members);
        if step_at > 0 {
            step.rows = SHORT[(step_at + 2 * member) % SHORT.len()];
        }
        step.accumulates = 0;
    }
}

/// What the batch is made of: parts, and rows of each.
fn parts(scene: &Scene) -> (u32, u32) {
    let calls = &scene.plan.programs[0].calls;
    let of = |call: &Call| match call.parameters {
        Parameters::PartialGradients(p) => Some((p.parts, p.part_rows)),
        _ => None,
    };
    calls.iter().find_map(of).expect("the step is split")
}

fn ends_step(call: &Call) -> bool {
    matches!(call.kernel, Kernel::PartialGradients | Kernel::OptimizerStep)
}

/// Ragged and even widths, 1 to 18 layers.
fn sizes(backends: &[Under]) {
    for (inputs, hidden) in
        [(1, vec![]), (65, vec![]), (12, vec![24, 40]), (63, vec![13, 33, 6]), (5, vec![6; 17])]
    {
        let members = if hidden.len() > 4 { 1 } else { 3 };
        let case = Case { inputs, hidden, members, stopped: members > 1, ..case() };
        let mut scene = Scene::new(&case);
        shorten(&mut scene, members);
        assert_eq!(parts(&scene), (4, 516));
        backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &ends_step));
    }
}

#[test]
fn a_split_step_of_all_sizes_on_the_reference_in_f32() {
    sizes(&reference());
}

// `tiles.rs` has ragged ones with checked shaders.
#[test]
fn a_split_step_of_all_sizes_on_the_gpu() {
    sizes(&gpu());
}

/// Every optimizer sums the parts that there are, adds the penalties and steps.
#[test]
fn a_split_step_of_every_optimizer() {
    let backends = both();
    let rows = OPTIMIZERS.iter().filter(|row| !row.orthogonalises());
    let forms = rows.flat_map(|row| OptimizerForm::all(row).into_iter().map(|f| (row.name, f)));
    for (index, optimizer) in forms.enumerate() {
        let update: fn(Update) -> Update = match index % 4 {
            0..3 => |update| update,
            _ => |update| Update { by_block: false, ..update },
        };
        let case = Case { optimizer, update, inputs: 4, hidden: vec![5], members: 3, ..case() };
        let mut scene = Scene::new(&Case { stopped: true, ..case });
        shorten(&mut scene, 3);
        let which = |call: &Call| call.kernel == Kernel::OptimizerStep;
        backends.iter().for_each(|backend| hold(backend.as_ref(), &scene, &which));
    }
}

/// The twins in f32, and an adapter.
fn both() -> Vec<Under> {
    reference().into_iter().chain(gpu_once()).collect()
}

const LEFT: [&str; 4] = ["parameters", "average_parameters", "moment0", "train.train.log"];

/// Cursor, bad step and bad element of a member.
type Place = (u32, u32, u32);

/// What is left of a training of so many steps: reals, and where the members stand.
fn trained(
    backend: &dyn Backend,
    scene: &Scene,
    steps: usize,
    members: usize,
) -> (Vec<Vec<f64>>, Vec<Place>) {
    let mut executor = backend.load(&scene.plan).unwrap();
    scene.upload(executor.as_mut());
    executor.run(ProgramId(0), 1).unwrap();
    executor.run(ProgramId(0), steps - 1).unwrap();
    let named = LEFT.iter().filter_map(|name| scene.plan.buffer(name).ok());
    let wanted: Vec<_> = named.map(|id| (id, scene.plan.buffers[id.0].words as usize)).collect();
    let reals = executor.read(&wanted).unwrap().into_iter().map(Contained::into_reals).collect();
    let states = executor.read(&[(scene.buffer("train.train.state"), members)]).unwrap();
    let states = states.into_iter().flat_map(Contained::into_state);
    (reals, states.map(|s| (s.cursor, s.bad_step, s.bad_element)).collect())
}

/// Steps of a split plan are those of one that is not, on the f64 reference.
fn as_unsplit(backends: &[Under], case: &Case, steps: usize, scale: f64, bound: f64) {
    let unsplit = Case { split: false, table_steps: steps, ..case.clone() };
    let mut unsplit = Scene::new(&unsplit);
    unsplit.reals_mut("parameters").iter_mut().for_each(|w| *w *= 0.5);
    shorten(&mut unsplit, case.members);
    unsplit.steps_mut().iter_mut().for_each(|step| step.learning_rate *= scale);
    unsplit.begin();
    let mut split = Scene::new(&Case { table_steps: steps, ..case.clone() });
    split.fill_as(&unsplit);
    assert!(parts(&split).0 > 1 && unsplit.plan.buffer("partial_gradients").is_err());
    let tensors = unsplit.network.tensors();
    let stride = unsplit.network.stride;
    let is_trained = |element: usize| {
        tensors.iter().any(|t| (t.offset..t.offset + t.length).contains(&(element % stride)))
    };
    // What the gradient of a part was before must never show; what pads a tensor has none.
    let before = split.reals_mut("partial_gradients").iter_mut().enumerate();
    before.for_each(|(i, x)| *x = if is_trained(i) { f64::from(1e30_f32) } else { 0.0 });
    let (wanted, places) = trained(&Reference::<f64>::new(), &unsplit, steps, case.members);
    for backend in backends {
        let (found, reached) = trained(backend.as_ref(), &split, steps, case.members);
        assert_eq!(reached, places, "{}", split.name);
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(&wanted) {
            let is_arena = wanted.len() == case.members * stride;
            // What pads a tensor is stepped by what its gradient's buffer held.
            let bound = |i: usize| match is_arena && !is_trained(i) {
                true => f64::MAX,
                false => bound * (0.1 + wanted[i].abs()),
            };
            compare(found, wanted, &vec![f64::MAX; wanted.len()], &bound).unwrap_or_else(|error| {
                panic!("{} on {}: {error}", split.name, backend.device().name)
            });
        }
    }
}

/// Several members, dropout, a constraint and an average behind the step.
fn several_steps(backends: &[Under]) {
    let momentum = OptimizerForm { with_momentum: true, ..OptimizerForm::default() };
    let layer = |layer| LayerShape { max_norm: Some(0.75), ..layer };
    let update = |update| Update { average: true, ..update };
    for (inputs, hidden, members, optimizer) in [
        (11, vec![23, 18, 9], 3, ("sgd", momentum)),
        (12, vec![24, 8], 2, ("adam", OptimizerForm::default())),
        (5, vec![], 1, ("rmsprop", OptimizerForm { keras: true, ..OptimizerForm::default() })),
    ] {
        let case =
            Case { inputs, hidden, members, dropout: 0.25, optimizer, layer, update, ..case() };
        as_unsplit(backends, &case, 7, 1.0, 2e-5);
    }
}

#[test]
fn split_steps_are_unsplit_ones_on_the_reference_in_f32() {
    several_steps(&reference());
}

#[test]
fn split_steps_are_unsplit_ones_on_the_gpu() {
    several_steps(&gpu_all());
}

/// 64 steps of a training, which learns: the rate is small enough for it.
#[test]
fn a_split_training_of_64_steps_is_the_oracles() {
    let optimizer = ("adam", OptimizerForm::default());
    let case = Case { inputs: 8, hidden: vec![16, 12], members: 2, optimizer, ..case() };
    as_unsplit(&both(), &case, 64, 0.05, 2e-4);
}

/// The order of the sums is fixed.
#[test]
fn a_split_step_is_the_same_bits_twice() {
    let mut scene = Scene::new(&Case { hidden: vec![33], members: 2, ..case() });
    shorten(&mut scene, 2);
    scene.begin();
    let backend = gpu_once().remove(0);
    let [one, other] = [0, 1].map(|_| trained(backend.as_ref(), &scene, 3, 2));
    assert!(one == other);
}
