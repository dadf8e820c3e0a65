//! The products of an update: the weight gradients of several layers, whose operands lie in one of
//! three places. A tile's text stands in the source once for each place.

use super::{Along, Kind, Operand, Product, Tile, as_read, frame, function, operand};
use crate::kernels::Kernel;
use crate::kernels::update::{GATHERED, Update, UpdatedLayer};

/// The functions of a tile and of an operand file that each place has its own of.
const NAMES: [&str; 7] =
    ["tile", "a_line", "b_line", "load_a", "load_b", "load_a_quad", "load_b_quad"];

/// The places, by `UpdatedLayer::place`, with the buffers of both operands.
const PLACES: [(&str, &str, &str); 3] =
    [("even", "even", "even"), ("odd", "odd", "odd"), ("gathered", "even", "features")];

/// A product that stands for those of a place: the largest sizes, and quads where all have them.
fn product_of(update: &Update, place: usize) -> Product {
    let (_, a, b) = PLACES[place];
    let layers = || update.layers().iter().filter(|layer| layer.place as usize == place);
    let most = |of: fn(&UpdatedLayer) -> u32| layers().map(of).max().unwrap_or(0);
    let quads = |of: fn(&UpdatedLayer) -> u32| layers().all(|layer| of(layer).is_multiple_of(4));
    let operand = |buffer, quads| Operand { buffer, along: Along::Breadth, quads };
    Product {
        kernel: Kernel::Update,
        rows: most(|layer| layer.units),
        columns: most(|layer| layer.inputs),
        depth: update.rows(),
        members: update.members,
        a: operand(a, quads(|layer| layer.units)),
        b: operand(b, quads(|layer| layer.inputs)),
    }
}

/// The product that an update's tile is chosen by: its largest.
pub(super) fn largest(update: &Update) -> Product {
    let all = [0, 1, GATHERED as usize].map(|place| product_of(update, place));
    let size = |product: &Product| u64::from(product.rows) * u64::from(product.columns);
    all.into_iter().max_by_key(size).unwrap_or_else(|| product_of(update, 0))
}

/// The text with calls and definitions of what each place has its own of given its name.
fn renamed(text: &str, place: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!(" {name}("), &format!(" {name}_{place}("))
            .replace(&format!("({name}("), &format!("({name}_{place}("))
    })
}

/// Parameters that a tile steps at a time.
pub fn reals(tile: Tile, update: &Update) -> u32 {
    if update.has_quads() && tile.kind != Kind::Naive { 4 } else { 1 }
}

/// Whether one workgroup of an update sums the biases of all its layers.
pub fn biases_together(tile: Tile) -> bool {
    !matches!(tile.kind, Kind::Shared { .. } | Kind::Cooperative { .. })
}

/// All that an update is made of behind its own file and its operands' files.
pub fn grouped(tile: Tile, update: &Update) -> String {
    let products = [0, 1, 2].map(|place| as_read(tile, &product_of(update, place)));
    let in_quads = |buffer: &str| {
        products.iter().flat_map(|p| [&p.a, &p.b]).any(|x| x.buffer == buffer && x.quads)
    };
    let mut text = frame(tile, &products[0]);
    for (binding, buffer) in [(3, "features"), (5, "even"), (6, "odd")] {
        text.push_str(&operand(buffer, binding, buffer, in_quads(buffer)));
    }
    for (index, ((place, ..), product)) in PLACES.iter().zip(&products).enumerate() {
        // A tile's text is long to compile: a place without a layer has none.
        if update.layers().iter().any(|layer| layer.place as usize == index) {
            text.push_str(&renamed(&function(tile, product), place));
        } else {
            text.push_str(&format!("fn tile_{place}(block: Block, lane: u32) {{}}\n"));
        }
    }
    text
}
