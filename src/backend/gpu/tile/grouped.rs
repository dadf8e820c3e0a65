//! The products of an update: the weight gradients of several layers, whose operands lie in one of
//! three places. A tile's text stands in the source once for each place.

use super::{Along, Kind, Lines, Operand, Product, Tile, as_read, frame, function, operand};
use crate::kernels::Kernel;
use crate::kernels::update::{GATHERED, Update, UpdatedLayer};

/// The functions of a tile and of an operand file that each place has its own of; a turned one, of
/// [`TURNED_NAMES`] too.
const NAMES: [&str; 7] =
    ["tile", "a_line", "b_line", "load_a", "load_b", "load_a_quad", "load_b_quad"];

const TURNED_NAMES: [&str; 2] = ["problem", "store_quad"];

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

/// Whether the first layer's tiles are turned: it has so few inputs that tiles as wide as a direct one
/// are mostly past its edge. A GPU's tiles are not so oblong.
pub fn turns(tile: Tile, update: &Update) -> bool {
    let first = update.layers().iter().find(|layer| layer.place == GATHERED);
    let (across, _) = tile.results();
    let strips = |rows: u32, columns: u32| rows * columns.div_ceil(across);
    matches!(tile.kind, Kind::Direct { .. })
        && first.is_some_and(|layer| {
            strips(layer.inputs, layer.units) * 3 < strips(layer.units, layer.inputs) * 2
        })
}

/// The product of a place as its tile's text sees it.
fn seen(tile: Tile, update: &Update, place: usize) -> Product {
    let product = as_read(tile, &product_of(update, place));
    if place == GATHERED as usize && turns(tile, update) {
        let (rows, columns, a, b) = (product.columns, product.rows, product.b, product.a);
        return Product { rows, columns, a, b, ..product };
    }
    product
}

/// The product that an update's tile is chosen by: its largest.
pub(super) fn largest(update: &Update) -> Product {
    let all = [0, 1, GATHERED as usize].map(|place| product_of(update, place));
    let size = |product: &Product| u64::from(product.rows) * u64::from(product.columns);
    all.into_iter().max_by_key(size).unwrap_or_else(|| product_of(update, 0))
}

/// The text with calls and definitions of such functions given the place's name.
fn renamed(text: &str, names: &[&str], place: &str) -> String {
    names.iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!(" {name}("), &format!(" {name}_{place}("))
            .replace(&format!("({name}("), &format!("({name}_{place}("))
    })
}

/// Parameters that a tile steps at a time.
pub fn reals(tile: Tile, update: &Update) -> u32 {
    let quads = update.has_quads() && tile.kind != Kind::Naive && !turns(tile, update);
    if quads { 4 } else { 1 }
}

/// The function that finds a tile of a place. The layers are written out: some adapters read a place
/// of a uniform that they know at once, and another an invocation at a time.
fn find(tile: Tile, update: &Update, index: usize, place: &str) -> String {
    let turned = index == GATHERED as usize && turns(tile, update);
    let (across, down) = if turned { ("units", "inputs") } else { ("inputs", "units") };
    let mut lines = Lines::default();
    lines.push(0, format!("fn find_{place}(item: ptr<function, u32>) -> bool {{"));
    lines.push(1, "var left = *item;");
    let of_place = |(_, layer): &(usize, &UpdatedLayer)| layer.place as usize == index;
    for (i, _) in update.layers().iter().enumerate().filter(of_place) {
        let count = |what: &str, of: &str| {
            let tile = format!("TILE_{}", what.to_uppercase());
            format!("let {what}{i} = (call.table[{i}].{of} + {tile} - 1u) / {tile};")
        };
        lines.push(1, count("columns", across));
        lines.push(1, count("rows", down));
        lines.push(1, format!("if (left < rows{i} * columns{i}) {{"));
        lines.push(2, format!("layer = call.table[{i}];"));
        lines.push(2, format!("block = Block(left % columns{i}, left / columns{i});"));
        lines.push(2, "return true;");
        lines.push(1, "}");
        lines.push(1, format!("left -= rows{i} * columns{i};"));
    }
    lines.push(1, "*item = left;");
    lines.push(1, "return false;");
    lines.push(0, "}");
    lines.0
}

/// The function that finds the layer of a bias, counted over all layers, and takes those of the layers
/// before off.
fn find_bias(update: &Update) -> String {
    let mut lines = Lines::default();
    lines.push(0, "fn find_bias(bias: ptr<function, u32>) {");
    for i in 0..update.layers {
        lines.push(1, format!("let units{i} = (call.table[{i}].units + 3u) / 4u * 4u;"));
        lines.push(1, format!("if (*bias < units{i}) {{"));
        lines.push(2, format!("layer = call.table[{i}];"));
        lines.push(2, "return;");
        lines.push(1, "}");
        lines.push(1, format!("*bias -= units{i};"));
    }
    lines.push(0, "}");
    lines.0
}

/// All that an update is made of behind its own file and its operands' files.
pub fn grouped(tile: Tile, update: &Update) -> String {
    let products = [0, 1, 2].map(|place| seen(tile, update, place));
    let in_quads = |buffer: &str| {
        products.iter().flat_map(|p| [&p.a, &p.b]).any(|x| x.buffer == buffer && x.quads)
    };
    let mut text = frame(tile, &products[0]);
    for (binding, buffer) in [(3, "features"), (5, "even"), (6, "odd")] {
        text.push_str(&operand(buffer, binding, buffer, in_quads(buffer)));
    }
    text.push_str(&find_bias(update));
    for (index, ((place, ..), product)) in PLACES.iter().zip(&products).enumerate() {
        text.push_str(&find(tile, update, index, place));
        // A tile's text is long to compile: a place without a layer has none.
        if update.layers().iter().any(|layer| layer.place as usize == index) {
            let own = renamed(&function(tile, product), &NAMES, place);
            let turned = index == GATHERED as usize && turns(tile, update);
            text.push_str(&if turned { renamed(&own, &TURNED_NAMES, place) } else { own });
        } else {
            text.push_str(&format!("fn tile_{place}(block: Block, lane: u32) {{}}\n"));
        }
    }
    text
}
