//! Plans of f16.

use super::Held;
use super::layers::{embedded, log_softmax, softmax};
use super::steps::{bounded, orthogonalized};
use crate::catalog::activation::ACTIVATIONS;
use crate::catalog::loss::LOSSES;
use crate::catalog::normalization::{NORMALIZATIONS, NormalizationSettings};
use crate::catalog::optimizer::{Convention, OPTIMIZERS, OptimizerForm};
use crate::config::data::Task;
use crate::error::Result;
use crate::network::LayerShape;
use crate::program::{Call, Clip, Precision, Update};
use crate::verify::{Case, Scene};

fn case() -> Case {
    Case { precision: Precision::F16, ..Case::default() }
}

/// Products of all sizes, for each tile.
///
/// # Errors
/// Never.
pub fn halves_of_tiles() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for (rows, inputs, units) in [(1, 1, 1), (5, 17, 3), (64, 64, 64), (65, 63, 65), (66, 784, 16)]
    {
        let sizes = Case { rows, inputs, hidden: vec![units], activation: "relu", ..case() };
        held.push(Held::case(&Case { members: 3, stopped: rows == 65, ..sizes.clone() })?);
        held.push(Held::case(&Case { fused: true, overflowed: rows == 5, ..sizes })?);
    }
    for (fused, dropout, hidden) in
        [(false, 0.3, vec![23, 18]), (true, 0.3, vec![23, 18]), (true, 0.0, vec![24, 20])]
    {
        let deep = Case { fused, dropout, hidden, members: 2, activation: "gelu", ..case() };
        held.push(Held::case(&deep)?);
    }
    Ok(held)
}

/// A few products, for each tile of an adapter that compiles them for seconds.
///
/// # Errors
/// Never.
pub fn halves_of_slow_tiles() -> Result<Vec<Held>> {
    let sizes = Case { rows: 65, inputs: 63, hidden: vec![65], activation: "relu", ..case() };
    let which = |call: &Call| call.kernel.is_matmul() && call.subject == "layers.1";
    Ok(vec![Held { scene: Scene::new(&sizes)?, which }])
}

/// Every activation, normalisation, loss and optimizer, and what else there is.
///
/// # Errors
/// Never.
pub fn halves() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for row in &ACTIVATIONS {
        let own = Case { activation: row.name, dropout: 0.4, members: 2, ..case() };
        held.push(Held::case(&own)?);
    }
    held.extend(apart()?);
    for row in &LOSSES {
        let classes = row.tasks.contains(&Task::Classification);
        for (rows, outputs, soft) in [(1, 2, false), (65, 17, classes)] {
            let own = Case { loss: row.name, rows, outputs, soft, members: 2, ..case() };
            held.push(Held::case(&Case { weighted: rows > 1, collects: rows > 1, ..own })?);
        }
    }
    for row in &OPTIMIZERS {
        for (fused, overflowed) in [(false, false), (false, true), (true, false), (true, true)] {
            let fused = fused && !row.orthogonalises();
            let optimizer = (row.name, OptimizerForm::default());
            let own = Case { optimizer, members: 3, stopped: true, fused, overflowed, ..case() };
            held.push(Held::case(&own)?);
        }
    }
    held.extend(after_gradient()?);
    Ok(held)
}

/// Layers whose activation is apart from the matrix product.
fn apart() -> Result<Vec<Held>> {
    let mut scenes = Vec::new();
    for row in &NORMALIZATIONS {
        let normalization = Some(NormalizationSettings::new(row, Convention::Torch));
        let own = Case { hidden: vec![67, 19], dropout: 0.3, members: 2, ..case() };
        scenes.push(Scene::with_layers(&own, &|_, layer| LayerShape { normalization, ..layer })?);
    }
    for slopes in [0, 1, 23] {
        let activation = if slopes > 0 { "prelu" } else { "gelu" };
        let own = Case { hidden: vec![23; 3], activation, dropout: 0.3, members: 3, ..case() };
        let own = Case { stopped: true, overflowed: true, ..own };
        scenes.push(Scene::with_layers(&own, &|index, layer| LayerShape {
            slopes,
            residual: index > 0,
            noise: 0.2,
            ..layer
        })?);
    }
    for rows in [1, 67] {
        let embeddings = embedded(&[[0, 2, 7], [4, 300, 16]]);
        let own = Case { rows, inputs: 5, embeddings, members: 3, stopped: rows > 1, ..case() };
        scenes.push(Scene::new(&own)?);
    }
    for output in [softmax, log_softmax] {
        scenes.push(Scene::new(&Case { loss: "mse", rows: 65, members: 2, output, ..case() })?);
    }
    Ok(scenes.into_iter().map(Held::all).collect())
}

/// Clipping, averages, max-norm and Muon, of a step that counts and of one that is skipped.
fn after_gradient() -> Result<Vec<Held>> {
    let average = |update| Update { average: true, ..update };
    let updates: [fn(Update) -> Update; 3] = [
        |update| Update { clip: Some(Clip::Value), ..update },
        |update| Update { clip: Some(Clip::GlobalNorm), ..update },
        average,
    ];
    let mut held = Vec::new();
    for overflowed in [false, true] {
        let own = Case { members: 2, layer: bounded, overflowed, ..case() };
        for update in updates {
            held.push(Held::case(&Case { update, ..own.clone() })?);
        }
        held.push(Held::case(&Case { update: average, fused: true, ..own.clone() })?);
        let form = OptimizerForm { with_momentum: true, ..OptimizerForm::default() };
        let update = orthogonalized;
        let muon = Case { hidden: vec![37, 20], update, optimizer: ("muon", form), ..own };
        held.push(Held::case(&muon)?);
    }
    Ok(held)
}
