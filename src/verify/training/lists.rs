//! The trainings that devices are put through.

use super::Training;
use crate::catalog::optimizer::OptimizerForm;
use crate::error::Result;
use crate::network::LayerShape;
use crate::program::Update;
use crate::verify::Case;
use crate::verify::scenes::{embedded, split_case};

/// Rows, inputs, hidden units and outputs of small networks.
const SIZES: [(usize, usize, &[usize], usize); 5] = [
    (1, 1, &[], 1),
    (21, 11, &[23], 5),
    (130, 12, &[24, 65], 4),
    (33, 7, &[9, 70, 18], 3),
    (5, 3, &[4, 8, 4, 6], 2),
];

fn momentum() -> (&'static str, OptimizerForm) {
    ("sgd", OptimizerForm { with_momentum: true, ..OptimizerForm::default() })
}

/// Every form of optimizer, constraint and average behind the steps of a few networks.
fn constrained(case: Case) -> Case {
    let layer = |layer| LayerShape { max_norm: Some(0.75), ..layer };
    let update = |update| Update { average: true, ..update };
    Case { layer, update, dropout: 0.25, ..case }
}

/// Whole trainings call by call, of members that differ; one has learned tables.
///
/// # Errors
/// Never.
pub fn plain() -> Result<Vec<Training>> {
    let sizes = Case { hidden: vec![23, 18, 9], members: 3, dropout: 0.25, ..Case::default() };
    let embeddings = embedded(&[[0, 4, 3], [7, 50, 9]]);
    let tables = Case { embeddings, members: 2, optimizer: momentum(), ..Case::default() };
    Ok(vec![Training::plain(&Case { optimizer: momentum(), ..sizes })?, Training::plain(&tables)?])
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
