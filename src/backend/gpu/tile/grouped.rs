//! The products of a call that makes the weight gradients of several layers, whose operands lie in
//! one of three places. A tile's text stands in the source once for each place.

use super::{Along, Kind, Operand, Product, Tile, as_read, frame, function, operand};
use crate::kernels::update::{GATHERED, UpdatedLayer};
use crate::kernels::{Kernel, Parameters};

/// The functions of a tile and of an operand file that each place has its own of.
const NAMES: [&str; 7] =
    ["tile", "a_line", "b_line", "load_a", "load_b", "load_a_quad", "load_b_quad"];

/// The places, by `UpdatedLayer::place`, with the buffers of both operands.
const PLACES: [(&str, &str, &str); 3] =
    [("even", "even", "even"), ("odd", "odd", "odd"), ("gathered", "even", "features")];

/// Biases whose gradients a workgroup of `partial_gradients` sums, where it has as many lanes.
const BIAS_UNITS: u32 = 8;

/// The layers of a call, and how their products are summed.
#[derive(Debug, Clone, Copy)]
pub struct Grouped<'a> {
    kernel: Kernel,
    layers: &'a [UpdatedLayer],
    /// Rows that are summed, at most.
    depth: u32,
    /// Gradients of each weight: of members, and of parts of the batch.
    members: u32,
    finishes: u32,
}

impl<'a> Grouped<'a> {
    /// Those of a call; none of other kernels.
    pub fn of(parameters: &'a Parameters) -> Option<Self> {
        match parameters {
            Parameters::Update(p) => Some(Self {
                kernel: Kernel::Update,
                layers: p.layers(),
                depth: p.rows(),
                members: p.members,
                finishes: p.finishes,
            }),
            Parameters::PartialGradients(p) => Some(Self {
                kernel: Kernel::PartialGradients,
                layers: p.layers(),
                depth: p.part_rows,
                members: p.members * p.parts,
                finishes: p.finishes,
            }),
            _ => None,
        }
    }

    /// A product that stands for those of a place: the largest sizes, and quads where all have them.
    fn product_of(&self, place: usize) -> Product {
        let (_, a, b) = PLACES[place];
        let layers = || self.layers.iter().filter(|layer| layer.place as usize == place);
        let most = |of: fn(&UpdatedLayer) -> u32| layers().map(of).max().unwrap_or(0);
        let quads =
            |of: fn(&UpdatedLayer) -> u32| layers().all(|layer| of(layer).is_multiple_of(4));
        let operand = |buffer, quads| Operand { buffer, along: Along::Breadth, quads };
        Product {
            kernel: self.kernel,
            rows: most(|layer| layer.units),
            columns: most(|layer| layer.inputs),
            depth: self.depth,
            members: self.members,
            a: operand(a, quads(|layer| layer.units)),
            b: operand(b, quads(|layer| layer.inputs)),
        }
    }

    /// The product that the tile is chosen by: the largest.
    pub(super) fn largest(&self) -> Product {
        let all = [0, 1, GATHERED as usize].map(|place| self.product_of(place));
        let size = |product: &Product| u64::from(product.rows) * u64::from(product.columns);
        all.into_iter().max_by_key(size).unwrap_or_else(|| self.product_of(0))
    }

    /// Gradients that a tile stores at a time: four where every row of every weight matrix begins
    /// at a multiple of four elements.
    pub fn reals(&self, tile: Tile) -> u32 {
        let has_quads = self.layers.iter().all(|layer| layer.inputs.is_multiple_of(4));
        if has_quads && tile.kind != Kind::Naive { 4 } else { 1 }
    }

    /// Workgroups of each member and part: the tiles of the weights, then those of the biases, and
    /// the one that ends the step.
    pub fn workgroups(&self, tile: Tile) -> u32 {
        let (columns, rows) = tile.results();
        let of_layer = |layer: &UpdatedLayer| {
            let tiles = layer.inputs.div_ceil(columns) * layer.units.div_ceil(rows);
            tiles
                + match self.kernel {
                    Kernel::PartialGradients => layer.units.div_ceil(bias_units(tile)),
                    _ => u32::from(!biases_together(tile)),
                }
        };
        let together = self.kernel == Kernel::Update && biases_together(tile);
        let last = if together { 1 } else { self.finishes };
        self.layers.iter().map(of_layer).sum::<u32>() + last
    }

    /// Gradients of each weight, which are workgroups along the last axis.
    pub fn members(&self) -> u32 {
        self.members
    }

    /// All that the call is made of behind its own file and its operands' files.
    pub fn text(&self, tile: Tile) -> String {
        let products = [0, 1, 2].map(|place| as_read(tile, &self.product_of(place)));
        let in_quads = |buffer: &str| {
            products.iter().flat_map(|p| [&p.a, &p.b]).any(|x| x.buffer == buffer && x.quads)
        };
        let mut text = frame(tile, &products[0]);
        for (binding, buffer) in [(3, "features"), (5, "even"), (6, "odd")] {
            text.push_str(&operand(buffer, binding, buffer, in_quads(buffer)));
        }
        for (index, ((place, ..), product)) in PLACES.iter().zip(&products).enumerate() {
            // A tile's text is long to compile: a place without a layer has none.
            if self.layers.iter().any(|layer| layer.place as usize == index) {
                text.push_str(&renamed(&function(tile, product), place));
            } else {
                text.push_str(&format!("fn tile_{place}(block: Block, lane: u32) {{}}\n"));
            }
        }
        text
    }
}

/// The text with calls and definitions of what each place has its own of given its name.
fn renamed(text: &str, place: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!(" {name}("), &format!(" {name}_{place}("))
            .replace(&format!("({name}("), &format!("({name}_{place}("))
    })
}

/// Whether one workgroup of an update sums the biases of all its layers.
fn biases_together(tile: Tile) -> bool {
    !matches!(tile.kind, Kind::Shared { .. })
}

fn bias_units(tile: Tile) -> u32 {
    tile.lanes().min(BIAS_UNITS)
}

/// The constants by which a kernel of several layers sums their biases.
pub(super) fn constants(tile: Tile, kernel: Kernel) -> String {
    match kernel {
        // A workgroup more costs a software adapter more than its share of the biases does.
        Kernel::Update => format!("const BIASES_TOGETHER = {};\n", biases_together(tile)),
        Kernel::PartialGradients => format!("const BIAS_UNITS = {}u;\n", bias_units(tile)),
        _ => String::new(),
    }
}
