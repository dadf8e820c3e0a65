//! The products of a call that makes the weight gradients of several layers, whose operands lie in
//! one of three places. A tile's text stands in the source once for each place.

use super::{Along, Extra, Kind, Lines, Operand, Product, Side, Tile};
use super::{as_read, frame, function, operand};
use crate::kernels::update::{GATHERED, UpdatedLayer};
use crate::kernels::{Kernel, Parameters};

/// The functions of a tile and of an operand file that each place has its own of; a turned one, of
/// [`TURNED_NAMES`] too.
const NAMES: [&str; 7] =
    ["tile", "a_line", "b_line", "load_a", "load_b", "load_a_quad", "load_b_quad"];

const TURNED_NAMES: [&str; 2] = ["problem", "store_quad"];

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
        let operand = |buffer, quads| Operand {
            buffer,
            along: Along::Breadth,
            quads,
            gathered: buffer == "features",
        };
        Product {
            kernel: self.kernel,
            rows: most(|layer| layer.units),
            columns: most(|layer| layer.inputs),
            depth: self.depth,
            members: self.members,
            a: operand(a, quads(|layer| layer.units)),
            b: operand(b, quads(|layer| layer.inputs)),
            quads: self.layers.iter().all(|layer| layer.inputs.is_multiple_of(4)),
        }
    }

    /// The product that the tile is chosen by: the largest.
    pub(super) fn largest(&self) -> Product {
        let all = [0, 1, GATHERED as usize].map(|place| self.product_of(place));
        let size = |product: &Product| u64::from(product.rows) * u64::from(product.columns);
        all.into_iter().max_by_key(size).unwrap_or_else(|| self.product_of(0))
    }

    /// Whether the first layer's tiles are turned: it has so few inputs that tiles as wide as a
    /// direct one are mostly past its edge. A GPU's tiles are not so oblong.
    pub fn turns(&self, tile: Tile) -> bool {
        let first = self.layers.iter().find(|layer| layer.place == GATHERED);
        let (across, _) = tile.results();
        let strips = |rows: u32, columns: u32| rows * columns.div_ceil(across);
        self.kernel == Kernel::Update
            && matches!(tile.kind, Kind::Direct { .. })
            && first.is_some_and(|layer| {
                strips(layer.inputs, layer.units) * 3 < strips(layer.units, layer.inputs) * 2
            })
    }

    /// Whether a place's tiles are turned.
    fn turns_place(&self, tile: Tile, place: usize) -> bool {
        place == GATHERED as usize && self.turns(tile)
    }

    /// The product of a place as its tile's text sees it.
    fn seen(&self, tile: Tile, place: usize) -> Product {
        let product = as_read(tile, &self.product_of(place));
        if self.turns_place(tile, place) {
            let (rows, columns, a, b) = (product.columns, product.rows, product.b, product.a);
            return Product { rows, columns, a, b, ..product };
        }
        product
    }

    /// Whether turned tiles store quads.
    pub fn packs(&self, tile: Tile) -> bool {
        self.turns(tile) && self.reals(tile) == 4
    }

    /// Whether a layer's turned tiles can: the gradients of four units lie one behind the other, and a
    /// tile has all of them.
    fn can_pack(tile: Tile, layer: &UpdatedLayer) -> bool {
        let (_, rows) = tile.results();
        layer.inputs <= rows && layer.units.is_multiple_of(4)
    }

    /// Gradients that a tile stores at a time: four where all that it stores at once begins at a
    /// multiple of four elements.
    pub fn reals(&self, tile: Tile) -> u32 {
        let in_quads = |layer: &UpdatedLayer| match self.turns_place(tile, layer.place as usize) {
            true => Self::can_pack(tile, layer),
            false => layer.inputs.is_multiple_of(4),
        };
        if tile.kind != Kind::Naive && self.layers.iter().all(in_quads) { 4 } else { 1 }
    }

    /// Whether tiles sum the biases' gradients, as those of an update without workgroup memory do: to
    /// load them again costs a software adapter more than the rest of a bias's step.
    pub fn sums_biases(&self, tile: Tile) -> bool {
        self.kernel == Kernel::Update && matches!(tile.kind, Kind::Direct { .. })
    }

    /// What a place's tiles do beyond their products.
    fn extra(&self, tile: Tile, place: usize) -> Extra {
        let turned = self.turns_place(tile, place);
        let delta = if turned { Side::B } else { Side::A };
        let first = self.layers.iter().find(|layer| layer.place as usize == place);
        Extra {
            sums: self.sums_biases(tile).then_some(delta),
            packed: first.filter(|_| turned && self.packs(tile)).map(|layer| layer.inputs),
        }
    }

    /// The tile that a place's text is of: no rows are worked out that none of its layers has.
    fn own_tile(&self, tile: Tile, product: &Product) -> Tile {
        let [rows, columns] = tile.each;
        match (tile.kind, tile.invocations) {
            (Kind::Direct { .. }, [1, _]) => {
                let most = product.rows.max(1).next_multiple_of(4);
                Tile { each: [rows.min(most), columns], ..tile }
            }
            _ => tile,
        }
    }

    /// Tiles of a layer.
    fn tiles(&self, tile: Tile, layer: &UpdatedLayer) -> u32 {
        let (columns, rows) = tile.results();
        let (across, down) = match self.turns_place(tile, layer.place as usize) {
            true => (layer.units, layer.inputs),
            false => (layer.inputs, layer.units),
        };
        across.div_ceil(columns) * down.div_ceil(rows)
    }

    /// Workgroups of each member and part. An update has one for each tile of the weights and, where
    /// those do not sum them, for as many biases as it steps at once, but no more than are run side by
    /// side; partial gradients have one more that ends the step.
    pub fn workgroups(&self, tile: Tile) -> u32 {
        let tiles: u32 = self.layers.iter().map(|layer| self.tiles(tile, layer)).sum();
        if self.kernel == Kernel::PartialGradients {
            let groups = |layer: &UpdatedLayer| layer.units.div_ceil(bias_units(tile));
            return tiles + self.layers.iter().map(groups).sum::<u32>() + self.finishes;
        }
        let biases =
            || self.layers.iter().map(|layer| layer.units.next_multiple_of(4)).sum::<u32>();
        let items = match self.sums_biases(tile) {
            true => tiles,
            false => tiles + biases().div_ceil(tile.lanes() * self.reals(tile)),
        };
        let most = tile.side_by_side().map(|most| most.div_ceil(self.members.max(1)));
        most.map_or(items, |most| items.min(most))
    }

    /// Gradients of each weight, which are workgroups along the last axis.
    pub fn members(&self) -> u32 {
        self.members
    }

    /// The function that finds a tile of a place. The layers are written out: some adapters read a
    /// place of a uniform that they know at once, and another an invocation at a time.
    fn find(&self, tile: Tile, index: usize) -> String {
        let (place, ..) = PLACES[index];
        let (across, down) = match self.turns_place(tile, index) {
            true => ("units", "inputs"),
            false => ("inputs", "units"),
        };
        let mut lines = Lines::default();
        lines.push(0, format!("fn find_{place}(item: ptr<function, u32>) -> bool {{"));
        lines.push(1, "var left = *item;");
        let of_place = |(_, layer): &(usize, &UpdatedLayer)| layer.place as usize == index;
        for (i, _) in self.layers.iter().enumerate().filter(of_place) {
            let count = |what: &str, of: &str| {
                let tile = format!("TILE_{}", what.to_uppercase());
                format!("let {what}{i} = (call.table[{i}].{of} + {tile} - 1u) / {tile};")
            };
            lines.push(1, count("columns", across));
            lines.push(1, count("rows", down));
            lines.push(1, format!("if (left < rows{i} * columns{i}) {{"));
            lines.push(2, format!("layer = call.table[{i}];"));
            lines.push(2, format!("block = block_at(left, columns{i}, rows{i});"));
            lines.push(2, "return true;");
            lines.push(1, "}");
            lines.push(1, format!("left -= rows{i} * columns{i};"));
        }
        lines.push(1, "*item = left;");
        lines.push(1, "return false;");
        lines.push(0, "}");
        lines.0
    }

    /// The function that finds the layer of a bias, counted over all layers, and takes those of the
    /// layers before off.
    fn find_bias(&self) -> String {
        let mut lines = Lines::default();
        lines.push(0, "fn find_bias(bias: ptr<function, u32>) {");
        for i in 0..self.layers.len() {
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

    /// All that the call is made of behind its own file and its operands' files.
    pub fn text(&self, tile: Tile) -> String {
        let products = [0, 1, 2].map(|place| self.seen(tile, place));
        let in_quads = |buffer: &str| {
            products.iter().flat_map(|p| [&p.a, &p.b]).any(|x| x.buffer == buffer && x.quads)
        };
        let mut text = frame(tile, &products[0]);
        for (binding, buffer) in [(3, "features"), (5, "even"), (6, "odd")] {
            text.push_str(&operand(buffer, binding, buffer, in_quads(buffer)));
        }
        let finds = self.kernel == Kernel::Update;
        if finds && !self.sums_biases(tile) {
            text.push_str(&self.find_bias());
        }
        for (index, ((place, ..), product)) in PLACES.iter().zip(&products).enumerate() {
            if finds {
                text.push_str(&self.find(tile, index));
            }
            // A tile's text is long to compile: a place without a layer has none.
            if self.layers.iter().any(|layer| layer.place as usize == index) {
                let text_of_tile =
                    function(self.own_tile(tile, product), product, self.extra(tile, index));
                let own = renamed(&text_of_tile, &NAMES, place);
                let turned = self.turns_place(tile, index);
                text.push_str(&if turned { renamed(&own, &TURNED_NAMES, place) } else { own });
            } else {
                text.push_str(&format!("fn tile_{place}(block: Block, lane: u32) {{}}\n"));
            }
        }
        text
    }
}

/// The text with calls and definitions of such functions given the place's name.
fn renamed(text: &str, names: &[&str], place: &str) -> String {
    names.iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!(" {name}("), &format!(" {name}_{place}("))
            .replace(&format!("({name}("), &format!("({name}_{place}("))
    })
}

fn bias_units(tile: Tile) -> u32 {
    tile.lanes().min(BIAS_UNITS)
}

/// The constants by which a kernel of several layers sums their biases.
pub(super) fn constants(tile: Tile, kernel: Kernel) -> String {
    match kernel {
        Kernel::PartialGradients => format!("const BIAS_UNITS = {}u;\n", bias_units(tile)),
        _ => String::new(),
    }
}
