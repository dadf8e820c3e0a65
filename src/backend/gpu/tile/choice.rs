//! Which tile a product is computed with.

use super::{Product, Tile};
use crate::backend::DeviceDescription;
use crate::backend::gpu::device::AdapterFacts;
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
        /// The width of subgroups that can be relied on: 8, 4, or 0.
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
                let subgroup = [8, 4].into_iter().find(|width| *width <= least).unwrap_or(0);
                Self::Software { subgroup }
            }
            "integrated" => Self::Integrated,
            _ => Self::Discrete,
        }
    }
}

/// Tiles in the order of the size of a product's results that they are for.
const DISCRETE: [Tile; 6] = [
    Tile::shared([128, 128, 8], [8, 8]),
    Tile::shared([128, 64, 8], [8, 4]),
    Tile::shared([64, 64, 16], [8, 8]),
    Tile::shared([64, 64, 16], [4, 4]),
    Tile::shared([32, 32, 32], [4, 4]),
    Tile::shared([16, 64, 16], [4, 4]),
];

const INTEGRATED: [Tile; 5] = [
    Tile::shared([64, 64, 16], [8, 8]),
    Tile::shared([64, 32, 8], [8, 4]),
    Tile::shared([32, 32, 16], [4, 4]),
    Tile::shared([32, 32, 8], [4, 4]),
    Tile::shared([16, 64, 8], [4, 4]),
];

/// The tiles that are worth a try on a class.
pub fn candidates(class: Class) -> Vec<Tile> {
    match class {
        Class::Discrete => DISCRETE.to_vec(),
        Class::Integrated => INTEGRATED.to_vec(),
        Class::Software { subgroup } => {
            // As many rows as there are: what is handed round is loaded once.
            let mut tiles = vec![Tile::direct(8, 4, 16, 0), Tile::direct(4, 8, 8, 0)];
            if subgroup > 0 {
                for (rows, columns) in [(8, 4), (16, 4), (16, 8), (32, 4)] {
                    tiles.push(Tile::direct(rows, columns, subgroup, subgroup));
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
    for tile in classes.into_iter().flat_map(candidates) {
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
}

impl Tiles {
    /// Those of a class, or one for all products.
    pub fn new(class: Class, forced: Option<Tile>) -> Self {
        Self { class, forced }
    }

    /// The tile of a call's product; any, when it has none.
    pub fn of_call(&self, call: &Call) -> Tile {
        Product::of(call).map_or(Tile::NAIVE, |product| self.of(&product))
    }

    /// The tile of a product.
    pub fn of(&self, product: &Product) -> Tile {
        self.forced.unwrap_or_else(|| by_class(self.class, product))
    }
}

/// Blocks of results that keep a discrete GPU busy: one for each of its multiprocessors.
const BUSY: u64 = 96;

/// The tile for a product on a class, untried.
fn by_class(class: Class, product: &Product) -> Tile {
    match class {
        Class::Software { subgroup: 0 } => Tile::direct(8, 4, 16, 0),
        Class::Software { subgroup } => {
            let rows = if product.rows > 8 { 16 } else { 8 };
            Tile::direct(rows, 4, subgroup, subgroup)
        }
        Class::Integrated => largest_busy(&INTEGRATED[..3], product, BUSY / 4),
        Class::Discrete => largest_busy(&DISCRETE[..5], product, BUSY),
    }
}

/// The first tile, the largest, that makes enough workgroups of a product; else the last.
fn largest_busy(tiles: &[Tile], product: &Product, busy: u64) -> Tile {
    let enough = |tile: &&Tile| {
        let (columns, rows) = tile.results();
        let blocks = product.columns.div_ceil(columns) * product.rows.div_ceil(rows);
        u64::from(blocks) * u64::from(product.members) >= busy
    };
    tiles.iter().find(enough).or(tiles.last()).copied().unwrap_or(Tile::NAIVE)
}
