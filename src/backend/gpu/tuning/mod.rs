//! Measured tuning: which of the candidates computes the products of a job fastest on this very
//! adapter. Every candidate is held to results in f64 before it may win; what won is kept.

mod kept;
mod lab;
mod pick;

use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub use kept::{Kept, Machine, WGPU_VERSION};
pub use lab::Lab;
pub use pick::{Trial, pick};
use sha2::{Digest, Sha256};

use super::device::{AdapterFacts, Gpu};
use super::pieces::MOST_UNTIMED;
use super::source::FILES;
use super::tile::{self, Along, Class, Operand, Product, Tile, Tiles};
use crate::kernels::Kernel;

/// All the products of a job together take no longer.
const TIME: Duration = Duration::from_millis(1800);

/// Picks the tiles of the products that have none yet, in their order, each in a share of the time by
/// its work. What there was no time for takes the default, now and in later runs, so that equal runs
/// are equal.
pub(super) fn tune(
    gpu: &Arc<Gpu>,
    facts: &AdapterFacts,
    class: Class,
    tiles: &Tiles,
    checked: bool,
    products: &[Product],
    kept: &mut Kept,
) {
    let mut left: Vec<(String, &Product)> = Vec::new();
    for product in products {
        let name = product.bucket();
        let known = kept.get(&name).is_some_and(|tile| tiles.allows(product.kernel, tile));
        if !known && left.iter().all(|(other, _)| *other != name) {
            left.push((name, product));
        }
    }
    let work = |product: &Product| {
        [product.rows, product.columns, product.depth, product.members]
            .into_iter()
            .map(f64::from)
            .product::<f64>()
    };
    let candidates: Vec<Tile> = tile::candidates(class)
        .into_iter()
        .chain(facts.fixed_subgroup.into_iter().flat_map(tile::cooperative_candidates))
        .filter(|tile| tile.fits(facts))
        .collect();
    let on_device =
        !matches!(class, Class::Software { .. }) && facts.features.contains(&"timestamps");
    let begun = Instant::now();
    let mut work_left: f64 = left.iter().map(|(_, product)| work(product)).sum();
    for (name, product) in left {
        let default = tiles.untried(product);
        let candidates: Vec<Tile> =
            candidates.iter().copied().filter(|tile| tiles.allows(product.kernel, *tile)).collect();
        let share = (work(product) / work_left.max(1.0)).clamp(0.0, 1.0);
        let share = TIME.saturating_sub(begun.elapsed()).mul_f64(share);
        work_left -= work(product);
        let product = product.of_at_most(MOST_UNTIMED);
        let tile = match Lab::new(gpu, checked, &product, on_device) {
            Ok(mut lab) => pick(default, &candidates, &mut lab, share),
            // Not enough memory for a trial beside the job.
            Err(_) => default,
        };
        kept.put(name, tile);
    }
}

/// A hash of every shader and of every tile's text.
pub(super) fn hash_of_shaders() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let mut hash = Sha256::new();
        for (name, text) in FILES {
            hash.update(name);
            hash.update(text);
        }
        for along in [Along::Depth, Along::Breadth] {
            for quads in [false, true] {
                let operand = |buffer| Operand { buffer, along, quads, gathered: false };
                let product = Product {
                    kernel: Kernel::MatrixProduct,
                    rows: 1,
                    columns: 1,
                    depth: 1,
                    members: 1,
                    a: operand("left"),
                    b: operand("right"),
                    quads: false,
                };
                for tile in tile::all() {
                    hash.update(tile::directives(tile));
                    hash.update(tile::text(tile, &product));
                }
            }
        }
        hash.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    })
}
