//! Which tile a product is computed with.

use std::collections::{HashMap, HashSet};

use super::{Product, SUBGROUPS, Tile, cooperative_candidates};
use crate::backend::DeviceDescription;
use crate::backend::gpu::device::AdapterFacts;
use crate::kernels::Kernel;
use crate::program::Call;

/// What kind of machine the tiles are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// The processor, under a driver's name.
    Software {
        /// The width of subgroups that can be relied on: 8 where there are 64-bit integers too, 4, or 0.
        subgroup: u32,
    },
}

impl Class {
    /// The class of an adapter.
    pub fn of(description: &DeviceDescription, facts: &AdapterFacts) -> Self {
        match description.kind.as_str() {
            "software" => {
                let least =
                    if facts.features.contains(&"subgroups") { facts.subgroup_sizes.0 } else { 0 };
                let most = if facts.features.contains(&"int64") { 8 } else { 4 };
                let widths = [8, 4].into_iter().filter(|width| *width <= most);
                let subgroup = widths.filter(|width| *width <= least).max().unwrap_or(0);
                Self::Software { subgroup }
            }
            "integrated" => Self::Integrated,
            _ => Self::Discrete,
        }
    }
}

/// From the largest to the smallest.
const DISCRETE: [Tile; 5] = [
    Tile::shared([128, 128, 8], [8, 8]),
    Tile::shared([128, 64, 8], [8, 4]),
    Tile::shared([64, 64, 16], [8, 8]),
    Tile::shared([64, 64, 16], [4, 4]),
    Tile::shared([32, 32, 32], [4, 4]),
];

/// From the largest to the smallest.
const INTEGRATED: [Tile; 4] = [
    Tile::shared([64, 64, 16], [8, 8]),
    Tile::shared([64, 32, 8], [8, 4]),
    Tile::shared([32, 32, 16], [4, 4]),
    Tile::shared([32, 32, 8], [4, 4]),
];

/// For 8 columns, for 16 columns and for 16 rows of results at most: the weights of an output layer
/// as a whole lie in workgroup memory. Each element of the long operand is loaded once, and is 94 % and
/// 80 % of all that a workgroup of the first two loads: a kernel of a row a lane would load as much,
/// with its lanes apart. What is multiplied past the last column, 8 or 16 times an element at most, is
/// less than the 40 that a GPU has time for while it loads one.
const THIN: [Tile; 3] = [
    Tile::shared([128, 8, 16], [4, 4]),
    Tile::shared([64, 16, 16], [4, 4]),
    Tile::shared([16, 64, 16], [4, 4]),
];

/// A tile whose invocations are a subgroup of a software adapter and hand A round. The adapters whose
/// subgroups are of 8 are those that load a lane's numbers one after the other.
const fn handed_round(rows: u32, columns: u32, subgroup: u32) -> Tile {
    let tile = Tile::direct(rows, columns, subgroup, subgroup);
    if subgroup == 8 { tile.in_pairs() } else { tile }
}

/// The tiles that are worth a try on a class.
pub fn candidates(class: Class) -> Vec<Tile> {
    match class {
        Class::Discrete => [&DISCRETE[..], &THIN].concat(),
        Class::Integrated => [&INTEGRATED[..], &THIN].concat(),
        Class::Software { subgroup } => {
            let mut tiles = vec![Tile::direct(8, 4, 16, 0), Tile::direct(4, 8, 8, 0)];
            if subgroup > 0 {
                for (rows, columns) in [(8, 4), (16, 4), (16, 8), (32, 4)] {
                    tiles.push(handed_round(rows, columns, subgroup));
                }
            }
            tiles
        }
    }
}

/// Every tile there is, once.
pub fn all() -> Vec<Tile> {
    let classes = [
        Class::Software { subgroup: 0 },
        Class::Software { subgroup: 4 },
        Class::Software { subgroup: 8 },
        Class::Integrated,
        Class::Discrete,
    ];
    let mut tiles = vec![Tile::NAIVE];
    let cooperative = SUBGROUPS.into_iter().flat_map(cooperative_candidates);
    for tile in classes.into_iter().flat_map(candidates).chain(cooperative) {
        if !tiles.contains(&tile) {
            tiles.push(tile);
        }
    }
    tiles
}

/// How matrix products are cut up on an adapter.
#[derive(Debug, Clone)]
pub struct Tiles {
    class: Class,
    forced: Option<Tile>,
    tuned: HashMap<String, Tile>,
    /// Tiles of kernels that compute wrong.
    left_out: HashSet<(Kernel, Tile)>,
    /// What is taken in their place, most wanted first.
    others: Vec<Tile>,
}

impl Tiles {
    /// Those of a class, or one for all products.
    pub fn new(class: Class, forced: Option<Tile>) -> Self {
        let (tuned, left_out) = (HashMap::new(), HashSet::new());
        Self { class, forced, tuned, left_out, others: Vec::new() }
    }

    /// The same, but for products whose tiles were picked by measuring, by their buckets.
    pub fn tuned(self, tuned: HashMap<String, Tile>) -> Self {
        Self { tuned, ..self }
    }

    /// The same, without tiles of kernels that compute wrong; `others` may take their place.
    pub fn leaving_out(self, left_out: HashSet<(Kernel, Tile)>, others: Vec<Tile>) -> Self {
        Self { left_out, others, ..self }
    }

    /// Whether a kernel may be given a tile.
    pub fn allows(&self, kernel: Kernel, tile: Tile) -> bool {
        !self.left_out.contains(&(kernel, tile))
    }

    /// The tile of a call's product; where it has none, that of its rows.
    pub fn of_call(&self, call: &Call) -> Tile {
        Product::of(call).map_or_else(|| Tile::rows(call.extent[1]), |product| self.of(&product))
    }

    /// The tile of a product.
    pub fn of(&self, product: &Product) -> Tile {
        // What an update does with its results is most of its work on a software adapter, and is no
        // part of a trial.
        let untried = product.kernel.is_grouped() && matches!(self.class, Class::Software { .. });
        let allows = |tile: &Tile| self.allows(product.kernel, *tile);
        let tried = || self.tuned.get(&product.bucket()).filter(|_| !untried).copied();
        self.forced.or_else(|| tried().filter(allows)).unwrap_or_else(|| self.untried(product))
    }

    /// The tile of a product without what was measured: its class's, or the next one that is right.
    pub fn untried(&self, product: &Product) -> Tile {
        let wanted = by_class(self.class, product);
        if self.allows(product.kernel, wanted) {
            return wanted;
        }
        let allowed = || self.others.iter().filter(|tile| self.allows(product.kernel, **tile));
        let fits = allowed().find(|tile| keeps_busy(**tile, product, 1));
        fits.or(allowed().next_back()).copied().unwrap_or(wanted)
    }
}

/// Blocks of results that keep a discrete GPU busy: one for each of its multiprocessors.
const BUSY: u64 = 96;

/// The tile for a product on a class, untried.
pub fn by_class(class: Class, product: &Product) -> Tile {
    match class {
        Class::Software { subgroup: 0 } => Tile::direct(8, 4, 16, 0),
        Class::Software { subgroup } => {
            // The largest is somewhat faster, but takes llvmpipe seconds to compile.
            let [large, medium, small] = [32, 16, 8].map(|rows| handed_round(rows, 4, subgroup));
            // An update's workgroups each have much to do before and after their products.
            let many = if product.kernel.is_grouped() { 64 } else { 128 };
            // All are as wide; what counts is that most of their rows are there.
            let fits = |tile: Tile, least: u64| {
                tile.results().1 < product.rows.saturating_mul(2) && blocks(tile, product) >= least
            };
            if fits(large, many) {
                large
            } else if fits(medium, 4) {
                medium
            } else {
                small
            }
        }
        _ if product.columns <= 8 => THIN[0],
        _ if product.columns <= 16 => THIN[1],
        _ if product.rows <= 16 => THIN[2],
        Class::Integrated => largest_busy(&INTEGRATED, product, BUSY / 4),
        Class::Discrete => largest_busy(&DISCRETE, product, BUSY),
    }
}

/// Workgroups that a tile makes of a product.
fn blocks(tile: Tile, product: &Product) -> u64 {
    let (columns, rows) = tile.results();
    u64::from(product.columns.div_ceil(columns))
        * u64::from(product.rows.div_ceil(rows))
        * u64::from(product.members)
}

/// Whether a tile makes enough workgroups of a product, and is not mostly past its edge.
fn keeps_busy(tile: Tile, product: &Product, busy: u64) -> bool {
    let (columns, rows) = tile.results();
    let filled =
        columns < product.columns.saturating_mul(2) && rows < product.rows.saturating_mul(2);
    filled && blocks(tile, product) >= busy
}

/// The first tile, the largest, that keeps a GPU busy; else the last.
fn largest_busy(tiles: &[Tile], product: &Product, busy: u64) -> Tile {
    let found = tiles.iter().find(|tile| keeps_busy(**tile, product, busy));
    found.or(tiles.last()).copied().unwrap_or(Tile::NAIVE)
}
