//! Every form of every matrix product, for each tile.

use super::Held;
use crate::error::Result;
use crate::verify::{Case, Scene};

/// Nothing but the matrix products of a network of such inputs, hidden units and outputs.
fn products(
    rows: usize,
    inputs: usize,
    hidden: &[usize],
    outputs: usize,
    members: usize,
) -> Result<Held> {
    let hidden = hidden.to_vec();
    let sizes = Case { rows, inputs, hidden, outputs, members, ..Case::default() };
    let scene = Scene::new(&Case { activation: "linear", ..sizes })?;
    Ok(Held { scene, which: |call| call.kernel.is_matmul() })
}

/// Widths about the tiles' own and far from them, of which none, all, or some are made of quads.
///
/// # Errors
/// Never.
pub fn products_of_tiles() -> Result<Vec<Held>> {
    Ok(vec![
        products(67, 17, &[65, 3, 127, 1], 31, 2)?,
        products(70, 12, &[64, 4, 132, 68], 8, 1)?,
        products(1, 36, &[5, 128], 1, 2)?,
        // More rows of tiles than a band has, and a band that is not whole.
        products(1100, 100, &[33, 140], 10, 1)?,
        products(7, 785, &[], 3, 1)?,
    ])
}

/// Updates of one layer, ragged, of quads, and of so few inputs that direct tiles are turned: each
/// place has the same text. Then their like that makes the gradients of each part of a batch. Of both,
/// one has more rows of tiles than a band. With each goes whether tiles of every class meet it.
///
/// # Errors
/// Never.
pub fn updates_of_tiles() -> Result<Vec<(Held, bool)>> {
    let update = |rows, inputs, outputs, any| {
        let case = Case { rows, inputs, outputs, hidden: Vec::new(), ..Case::default() };
        let scene = Scene::new(&Case { fused: true, split: true, members: 2, ..case })?;
        Ok((Held { scene, which: |call| call.kernel.is_grouped() }, any))
    };
    [
        (67, 131, 65, true),
        (21, 140, 1100, false),
        (19, 13, 70, true),
        (2050, 67, 33, false),
        (2052, 36, 268, false),
    ]
    .into_iter()
    .map(|(rows, inputs, outputs, any)| update(rows, inputs, outputs, any))
    .collect()
}
