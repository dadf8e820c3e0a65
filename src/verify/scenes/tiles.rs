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

/// A few of them, of scalars and of quads, for an adapter that compiles each for seconds.
///
/// # Errors
/// Never.
pub fn products_of_slow_tiles() -> Result<Vec<Held>> {
    Ok(vec![products(67, 12, &[65], 31, 2)?])
}

/// Updates of one layer, ragged, of quads, and of so few inputs that direct tiles are turned, with units
/// in fours too, whose weights are then stored in quads: each place has the same text. Then their like
/// that makes the gradients of each part of a batch. Of both, one has more rows of tiles than a band.
///
/// # Errors
/// Never.
pub fn updates_of_tiles() -> Result<Vec<Held>> {
    [
        (67, 131, 65),
        (21, 140, 1100),
        (19, 13, 70),
        (19, 13, 72),
        (18, 7, 36),
        (2050, 67, 33),
        (2052, 36, 268),
    ]
    .into_iter()
    .map(|(rows, inputs, outputs)| update(rows, inputs, outputs))
    .collect()
}

/// Those that tiles of every class meet: two that are turned, of which one is stored in quads, and one
/// that is not.
///
/// # Errors
/// Never.
pub fn updates_of_slow_tiles() -> Result<Vec<Held>> {
    Ok(vec![update(67, 131, 65)?, update(19, 13, 70)?, update(18, 7, 36)?])
}

fn update(rows: usize, inputs: usize, outputs: usize) -> Result<Held> {
    let case = Case { rows, inputs, outputs, hidden: Vec::new(), ..Case::default() };
    let scene = Scene::new(&Case { fused: true, split: true, members: 2, ..case })?;
    Ok(Held { scene, which: |call| call.kernel.is_grouped() })
}
