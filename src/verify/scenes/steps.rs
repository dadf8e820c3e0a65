//! Losses, and what becomes of a gradient.

use super::Held;
use crate::catalog::loss::LOSSES;
use crate::catalog::optimizer::muon::Adjust;
use crate::catalog::optimizer::{OPTIMIZERS, OptimizerForm};
use crate::config::data::Task;
use crate::error::Result;
use crate::kernels::Kernel;
use crate::network::LayerShape;
use crate::program::{Call, Clip, Orthogonalization, Update};
use crate::verify::{Case, Scene};

/// Every loss with the metrics' terms, of rows and outputs about a workgroup's.
///
/// # Errors
/// Never.
pub fn losses() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for row in &LOSSES {
        for (rows, outputs) in [(1, 1), (21, 1), (63, 2), (64, 3), (65, 17), (130, 1)] {
            let classes = row.tasks.contains(&Task::Classification);
            if classes && outputs == 1 {
                continue;
            }
            for (soft, weighted) in [(false, false), (classes, true)] {
                // Of few rows each member has numbers of its own.
                let loss_by_member = rows < 60;
                let case = Case { loss: row.name, rows, outputs, members: 2, ..Case::default() };
                let case = Case { soft, weighted, collects: weighted, loss_by_member, ..case };
                let scene = Scene::new(&case)?;
                let which = |call: &Call| matches!(call.kernel, Kernel::Loss | Kernel::FinishStep);
                held.push(Held { scene, which });
            }
        }
    }
    Ok(held)
}

/// Every optimizer in every form.
///
/// # Errors
/// Never.
pub fn optimizers() -> Result<Vec<Held>> {
    let forms = OPTIMIZERS
        .iter()
        .flat_map(|row| OptimizerForm::all(row).into_iter().map(move |form| (row.name, form)));
    let which =
        |call: &Call| matches!(call.kernel, Kernel::GradientStatistics | Kernel::OptimizerStep);
    forms
        .map(|optimizer| {
            let case = Case { optimizer, members: 3, stopped: true, ..Case::default() };
            Ok(Held { scene: Scene::new(&case)?, which })
        })
        .collect()
}

/// Muon's directions.
pub(super) fn orthogonalized(update: Update) -> Update {
    let adjust = Adjust::MatchRmsAdamw;
    let orthogonalization = Some(Orthogonalization { steps: 3, epsilon: 0.25, adjust });
    Update { orthogonalization, ..update }
}

/// A bound on each unit's weights.
pub(super) fn bounded(layer: LayerShape) -> LayerShape {
    LayerShape { max_norm: Some(0.75), ..layer }
}

/// What becomes of a gradient beside the optimizer's step: clipping, averages, max-norm, Muon.
///
/// # Errors
/// Never.
pub fn updates() -> Result<Vec<Held>> {
    let updates: [fn(Update) -> Update; 4] = [
        |update| Update { clip: Some(Clip::Value), ..update },
        |update| Update { clip: Some(Clip::Norm), ..update },
        |update| Update { clip: Some(Clip::GlobalNorm), ..update },
        |update| Update { average: true, ..update },
    ];
    let mut scenes = Vec::new();
    for keras in [false, true] {
        let form = OptimizerForm { keras, ..OptimizerForm::default() };
        for update in updates {
            let optimizer = ("sgd", form);
            let case =
                Case { optimizer, hidden: vec![70], update, layer: bounded, ..Case::default() };
            scenes.push(Scene::new(&Case { members: 3, stopped: true, ..case })?);
        }
        for nesterov in [false, true] {
            let form = OptimizerForm { keras, with_momentum: true, nesterov, ..form };
            // A tall matrix, a wide one, and a square one.
            let hidden = vec![37, 20, 20];
            let case = Case { inputs: 13, hidden, update: orthogonalized, ..Case::default() };
            scenes.push(Scene::new(&Case { optimizer: ("muon", form), members: 2, ..case })?);
        }
    }
    let which = |call: &Call| {
        !matches!(call.kernel, Kernel::DenseForward | Kernel::Loss | Kernel::InputGradient)
    };
    Ok(scenes.into_iter().map(|scene| Held { scene, which }).collect())
}

/// The matrix products of Muon's directions, for each tile.
///
/// # Errors
/// Never.
pub fn directions_of_tiles() -> Result<Vec<Held>> {
    let form = OptimizerForm { with_momentum: true, ..OptimizerForm::default() };
    [(13, vec![37, 20, 20]), (12, vec![132, 68])]
        .into_iter()
        .map(|(inputs, hidden)| {
            let case = Case { inputs, hidden, update: orthogonalized, ..Case::default() };
            let scene = Scene::new(&Case { optimizer: ("muon", form), members: 2, ..case })?;
            Ok(Held { scene, which: |call| call.kernel == Kernel::MatrixProduct })
        })
        .collect()
}

fn is_update(call: &Call) -> bool {
    call.kernel == Kernel::Update
}

/// The forms of all optimizers that steps are fused with.
fn fused_forms() -> impl Iterator<Item = (&'static str, OptimizerForm)> {
    let rows = OPTIMIZERS.iter().filter(|row| !row.orthogonalises());
    rows.flat_map(|row| OptimizerForm::all(row).into_iter().map(move |form| (row.name, form)))
}

/// The call that ends a fused step: every optimizer, in fours and one at a time.
///
/// # Errors
/// Never.
pub fn fused_optimizers() -> Result<Vec<Held>> {
    let case = Case { fused: true, members: 3, stopped: true, ..Case::default() };
    fused_forms()
        .enumerate()
        .map(|(index, optimizer)| {
            let (inputs, units) = [(11, 19), (12, 20)][index % 2];
            let update: fn(Update) -> Update = match index % 4 {
                0 | 1 => |update| update,
                _ => |update| Update { by_block: false, ..update },
            };
            let hidden = vec![units];
            let scene = Scene::new(&Case { optimizer, inputs, hidden, update, ..case.clone() })?;
            Ok(Held { scene, which: is_update })
        })
        .collect()
}

/// Fused steps of ragged and even widths, 1 to 18 layers.
///
/// # Errors
/// Never.
pub fn fused_sizes() -> Result<Vec<Held>> {
    let case = Case { fused: true, members: 3, stopped: true, ..Case::default() };
    [
        (1, 1, vec![]),
        (3, 65, vec![]),
        (64, 64, vec![64, 128]),
        (65, 63, vec![65, 66, 67]),
        (18, 13, vec![32, 16]),
        (127, 784, vec![13]),
        (7, 5, vec![6; 17]),
    ]
    .into_iter()
    .map(|(rows, inputs, hidden)| {
        let scene = Scene::new(&Case { rows, inputs, hidden, ..case.clone() })?;
        Ok(Held { scene, which: is_update })
    })
    .collect()
}

/// Rows of a batch, of which four parts of 516 are made.
const SPLIT_ROWS: usize = 2051;

/// Rows of batches that fill all parts, three, two or one, and end in the middle of a row of quads
/// or with the last row of a part.
const SHORT: [u32; 6] = [2051, 1549, 1548, 700, 516, 2];

/// A fused step whose gradients are made by four parts of the batch.
pub fn split_case() -> Case {
    Case { rows: SPLIT_ROWS, fused: true, split: true, statistics: false, ..Case::default() }
}

/// Batches of different rows, the members' own too; none but full ones for the first step.
///
/// # Errors
/// When the scene has no steps.
pub fn shorten(scene: &mut Scene, members: usize) -> Result<()> {
    for (at, step) in scene.steps_mut()?.iter_mut().enumerate() {
        let (step_at, member) = (at / members, at % members);
        if step_at > 0 {
            step.rows = SHORT[(step_at + 2 * member) % SHORT.len()];
        }
        step.accumulates = 0;
    }
    Ok(())
}

/// Split steps of ragged and even widths, 1 to 18 layers.
///
/// # Errors
/// Never.
pub fn split_sizes() -> Result<Vec<Held>> {
    [(1, vec![]), (65, vec![]), (12, vec![24, 40]), (63, vec![13, 33, 6]), (5, vec![6; 17])]
        .into_iter()
        .map(|(inputs, hidden)| {
            let members = if hidden.len() > 4 { 1 } else { 3 };
            let stopped = members > 1;
            let mut scene = Scene::new(&Case { inputs, hidden, members, stopped, ..split_case() })?;
            shorten(&mut scene, members)?;
            let which = |call: &Call| {
                matches!(call.kernel, Kernel::PartialGradients | Kernel::OptimizerStep)
            };
            Ok(Held { scene, which })
        })
        .collect()
}

/// Every optimizer sums the parts that there are, adds the penalties and steps.
///
/// # Errors
/// Never.
pub fn split_optimizers() -> Result<Vec<Held>> {
    fused_forms()
        .enumerate()
        .map(|(index, optimizer)| {
            let update: fn(Update) -> Update = match index % 4 {
                0..3 => |update| update,
                _ => |update| Update { by_block: false, ..update },
            };
            let sizes = Case { inputs: 4, hidden: vec![5], members: 3, ..split_case() };
            let mut scene = Scene::new(&Case { optimizer, update, stopped: true, ..sizes })?;
            shorten(&mut scene, 3)?;
            Ok(Held { scene, which: |call| call.kernel == Kernel::OptimizerStep })
        })
        .collect()
}
