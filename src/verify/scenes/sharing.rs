//! Layers whose weights the heads of a network share.

use super::layers::normalized;
use super::{Held, embedded};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::optimizer::Convention;
use crate::error::Result;
use crate::network::{LayerShape, Sharing};
use crate::program::{Clip, Update};
use crate::verify::{Case, Scene};

/// What is shared: all that TabM has, what TabM-mini has first and above, and one adapter alone.
const SHARINGS: [Sharing; 4] = [
    Sharing { input_adapter: true, output_adapter: true, bias: false },
    Sharing { input_adapter: true, output_adapter: false, bias: true },
    Sharing { input_adapter: false, output_adapter: false, bias: true },
    Sharing { input_adapter: false, output_adapter: true, bias: false },
];

/// Steps of networks of several heads, one and two side by side, of ragged sizes and with what a layer
/// may have beside; with tables before the first layer; clipped by one norm of all heads; with a head
/// that has stopped.
///
/// # Errors
/// Never, of cases that plans are made of.
pub fn shared() -> Result<Vec<Held>> {
    let global: fn(Update) -> Update = |update| Update { clip: Some(Clip::GlobalNorm), ..update };
    let mut held = Vec::new();
    for (index, [rows, inputs, units]) in
        [[1, 1, 1], [5, 17, 3], [21, 11, 67], [64, 33, 64], [130, 65, 19]].into_iter().enumerate()
    {
        for (own, sharing) in SHARINGS.into_iter().enumerate() {
            let (members, networks) = if own % 2 == 0 { (3, 1) } else { (4, 2) };
            let case = Case {
                rows,
                inputs,
                hidden: vec![units, 2 * units + 1],
                members,
                networks,
                stopped: (index + own) % 3 == 2,
                update: if index % 2 == 0 { global } else { |update| update },
                ..Case::default()
            };
            let layer = |_, layer| LayerShape { sharing: Some(sharing), ..layer };
            held.push(Held::all(Scene::with_layers(&case, &layer)?));
        }
    }
    let plain = LayerShape::new(1, ActivationSettings::linear());
    let normalization = normalized(plain, "layer_norm", Convention::Torch)?.normalization;
    let case = Case {
        inputs: 4,
        embeddings: embedded(&[[1, 6, 3], [3, 40, 5]]),
        hidden: vec![13, 13],
        dropout: 0.3,
        members: 3,
        update: global,
        ..Case::default()
    };
    // A layer of each member's own between two that are shared.
    for apart in [0, 1] {
        held.push(Held::all(Scene::with_layers(&case, &|index, layer| LayerShape {
            normalization,
            residual: index > 0,
            sharing: (index == apart).then_some(SHARINGS[0]),
            ..layer
        })?));
    }
    Ok(held)
}
