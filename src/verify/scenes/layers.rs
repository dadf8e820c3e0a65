//! Forward and backward passes of layers.

use super::Held;
use crate::catalog::activation::ACTIVATIONS;
use crate::catalog::normalization::{self, NORMALIZATIONS, NormalizationSettings};
use crate::catalog::optimizer::Convention;
use crate::catalog::row_activation;
use crate::error::{Error, Result};
use crate::network::{EmbeddingShape, LayerShape};
use crate::verify::{Case, Noise, Scene};

/// (rows, inputs, units): 1, about the tiles of 4, 8, 16, 32 and 64, primes, a deep product.
const SIZES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [3, 4, 5],
    [4, 8, 4],
    [5, 17, 3],
    [7, 33, 31],
    [15, 16, 16],
    [16, 15, 17],
    [32, 31, 33],
    [63, 65, 64],
    [64, 64, 64],
    [65, 63, 65],
    [127, 13, 67],
    [1, 784, 61],
    [66, 784, 16],
];

/// Steps of all sizes, of one member and of several that differ.
///
/// # Errors
/// Never, of cases that plans are made of; so it is with all scenes.
pub fn sizes() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for [rows, inputs, units] in SIZES {
        for members in [1, 3] {
            held.push(Held::case(&Case {
                rows,
                inputs,
                hidden: vec![units],
                members,
                activation: "relu",
                stopped: members == 3 && rows % 2 == 1,
                ..Case::default()
            })?);
        }
    }
    Ok(held)
}

/// Layers that read the layer below, not the data set, with an activation.
///
/// # Errors
/// Never.
pub fn deep() -> Result<Vec<Held>> {
    let case = Case { hidden: vec![23, 18], activation: "gelu", ..Case::default() };
    [0.0, 0.3].into_iter().map(|dropout| Held::case(&Case { dropout, ..case.clone() })).collect()
}

/// Embeddings of columns, as (column, categories, size).
pub(in crate::verify) fn embedded(shapes: &[[usize; 3]]) -> Vec<EmbeddingShape> {
    let shape = |[column, categories, size]: &[usize; 3]| EmbeddingShape {
        column: *column,
        categories: *categories,
        size: *size,
    };
    shapes.iter().map(shape).collect()
}

/// Steps of networks with learned tables: one and many, of few categories and of more than rows, of
/// vectors of 1 and of more than a workgroup's lanes, at the ends of a row and between.
///
/// # Errors
/// Never.
pub fn embeddings() -> Result<Vec<Held>> {
    let of = embedded;
    let many: Vec<[usize; 3]> =
        (0..37).filter(|i| i % 3 != 1).map(|i| [i, 2 + i % 5, 1 + i % 4]).collect();
    let mut held = Vec::new();
    for (rows, inputs, shapes) in [
        (1, 1, of(&[[0, 3, 4]])),
        (1, 3, of(&[[0, 1, 1], [2, 5, 2]])),
        (21, 4, of(&[[1, 6, 3], [2, 40, 5]])),
        (67, 5, of(&[[0, 2, 7], [4, 300, 16]])),
        (130, 3, of(&[[1, 9, 67]])),
        (65, 2, of(&[[0, 4, 130], [1, 7, 64]])),
        // More than a call's lanes look at before they meet, and codes that come back after that.
        (2300, 3, of(&[[0, 3, 2], [2, 1500, 3]])),
        // More columns than a call takes.
        (21, 37, of(&many)),
    ] {
        for members in [1, 3] {
            held.push(Held::case(&Case {
                rows,
                inputs,
                embeddings: shapes.clone(),
                members,
                stopped: members == 3 && rows % 2 == 1,
                ..Case::default()
            })?);
        }
    }
    // A first layer with all that a layer may have, and a network of one layer.
    let case = Case { inputs: 4, embeddings: of(&[[1, 6, 3], [3, 40, 5]]), ..Case::default() };
    let plain = LayerShape::new(1, crate::catalog::activation::ActivationSettings::linear());
    let normalization = normalized(plain, "layer_norm", Convention::Keras)?.normalization;
    let apart = Case { hidden: vec![13, 13], dropout: 0.3, members: 2, ..case.clone() };
    held.push(Held::all(Scene::with_layers(&apart, &|index, layer| LayerShape {
        normalization,
        residual: index > 0,
        noise: 0.2,
        ..layer
    })?));
    held.push(Held::case(&Case { hidden: Vec::new(), members: 2, ..case })?);
    Ok(held)
}

/// Every activation, of small, large and middling arguments.
///
/// # Errors
/// Never.
pub fn activations() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for row in &ACTIVATIONS {
        for dropout in [0.0, 0.4] {
            let case = Case { activation: row.name, dropout, members: 2, ..Case::default() };
            let mut scene = Scene::new(&case)?;
            let mut noise = Noise::new(3);
            for x in scene.reals_mut("train.features")? {
                *x = f64::from((*x * [0.01, 1.0, 20.0][noise.bits() as usize % 3]) as f32);
            }
            held.push(Held { scene, which: |call| call.kernel.is_matmul() });
        }
    }
    Ok(held)
}

/// A layer with a normalisation.
pub(super) fn normalized(
    layer: LayerShape,
    name: &str,
    convention: Convention,
) -> Result<LayerShape> {
    let row = normalization::find(name)
        .ok_or_else(|| Error::internal(format!("there is no normalisation {name:?}")))?;
    Ok(LayerShape { normalization: Some(NormalizationSettings::new(row, convention)), ..layer })
}

/// An output layer of shares of a row.
pub(super) fn softmax(output: LayerShape) -> LayerShape {
    LayerShape { row_activation: row_activation::find("softmax"), ..output }
}

/// Their logarithms.
pub(super) fn log_softmax(output: LayerShape) -> LayerShape {
    LayerShape { row_activation: row_activation::find("log_softmax"), ..output }
}

/// Layers whose activation is apart from the matrix product.
///
/// # Errors
/// Never.
pub fn apart() -> Result<Vec<Held>> {
    let mut scenes = Vec::new();
    for row in &NORMALIZATIONS {
        for (convention, rows, dropout) in
            [(Convention::Torch, 21, 0.3), (Convention::Keras, 130, 0.0)]
        {
            let case = Case { rows, hidden: vec![67, 19], dropout, members: 2, ..Case::default() };
            let normalization = Some(NormalizationSettings::new(row, convention));
            scenes.push(Scene::with_layers(&case, &|_, layer| LayerShape {
                normalization,
                ..layer
            })?);
        }
    }
    let plain = LayerShape::new(1, crate::catalog::activation::ActivationSettings::linear());
    let normalization = normalized(plain, "layer_norm", Convention::Keras)?.normalization;
    for slopes in [0, 1, 23] {
        let activation = if slopes > 0 { "prelu" } else { "gelu" };
        let case = Case { hidden: vec![23; 3], activation, dropout: 0.3, ..Case::default() };
        let case = Case { members: 2, stopped: true, ..case };
        scenes.push(Scene::with_layers(&case, &|index, layer| {
            let layer = LayerShape { slopes, residual: index > 0, noise: 0.2, ..layer };
            if index == 1 { LayerShape { normalization, ..layer } } else { layer }
        })?);
    }
    let layer = |layer| LayerShape { alpha_dropout: true, ..layer };
    let case = Case { activation: "selu", dropout: 0.4, layer, ..Case::default() };
    scenes.push(Scene::new(&case)?);
    for output in [softmax, log_softmax] {
        let case = Case { loss: "mse", rows: 65, members: 2, output, ..Case::default() };
        scenes.push(Scene::new(&case)?);
    }
    Ok(scenes.into_iter().map(Held::all).collect())
}
