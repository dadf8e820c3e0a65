//! Matrix products: how one is cut up into tiles of results, a workgroup each.
//!
//! A kernel that is a matrix product is an operand file and the text of a tile. The operand file
//! gives, with A the left operand (rows x depth) and B the right one (depth x columns):
//!
//! - `problem() -> Problem`, its rows, columns and depth;
//! - `a_line(i) -> u32`: where line `i` of A begins. A line is a row where A lies along the depth, else
//!   a step in depth. `load_a(line, j) -> f32` and `load_a_quad(line, j) -> vec4<f32>` read it at `j`.
//!   `b_line`, `load_b`, `load_b_quad`: B's, whose lines are columns or steps in depth;
//! - `store(row, column, sum)` of one result, or of a quad where rows are made of whole ones;
//! - a forward layer's: `bias(column)` and `bias_quad(column)`, which the sums begin with.
//!
//! It reads its operands by `a_value(at)`, `a_quad(at)`, `b_value(at)` and `b_quad(at)`, which
//! [`text`] writes: of scalars, or of quads where every line is made of whole aligned ones. Results
//! past the last row or column are computed from the last one, or from zeros, and not stored.
//!
//! A cooperative tile multiplies fragments of 8x8, one of them with a subgroup's invocations together:
//! `simdgroup_matrix` on Metal, `VK_KHR_cooperative_matrix` on Vulkan. It is never a class's choice,
//! only one of those that are measured, where the adapter has such fragments in f32.
//!
//! The tile's text is a function `tile(block, lane)`; a `run(workgroup, workgroups, lane)` of the
//! operand file, or of `shared/run_product.wgsl`, calls it for the block that is the workgroup's:
//! `block_at(index, columns, rows)` of `shared/tiles_*.wgsl`, by the file that [`order`] names.

mod bands;
mod choice;
mod cooperative;
mod direct;
mod grouped;
mod product;
mod shared;

use std::fmt;

use super::device::AdapterFacts;

pub use bands::order;
pub use choice::{Class, Tiles, all, by_class, candidates};
pub use cooperative::{FRAGMENT, SUBGROUPS, candidates as cooperative_candidates};
pub use grouped::Grouped;
pub use product::{Along, Operand, Product};

/// How a tile is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One result an invocation: what the others are measured by.
    Naive,
    /// Straight from storage into registers: no workgroup memory, no barrier.
    Direct {
        /// So many neighbouring lanes of a subgroup load different elements of A and hand them round;
        /// 0: each loads all that it needs.
        handed_round: u32,
        /// Whether quads are read and written as pairs of 64-bit integers.
        pairs: bool,
    },
    /// Through workgroup memory.
    Shared {
        /// Steps in depth between two barriers.
        depth: u32,
    },
    /// Through workgroup memory, multiplied by subgroups in fragments of 8x8.
    Cooperative {
        /// Steps in depth between two barriers.
        depth: u32,
        /// Fragments of results of a subgroup, along the rows and along the columns.
        fragments: [u32; 2],
        /// Invocations of a subgroup: the adapter's only size.
        subgroup: u32,
    },
}

/// A way to cut up a matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// How it is computed.
    pub kind: Kind,
    /// Rows and columns of results of an invocation.
    pub each: [u32; 2],
    /// Invocations of a workgroup, along the rows and along the columns.
    pub invocations: [u32; 2],
}

impl Tile {
    /// One result an invocation.
    pub const NAIVE: Self = Self { kind: Kind::Naive, each: [1, 1], invocations: [8, 8] };

    /// `rows` x `columns` results for each of `lanes` invocations that lie along the columns.
    pub const fn direct(rows: u32, columns: u32, lanes: u32, handed_round: u32) -> Self {
        let kind = Kind::Direct { handed_round, pairs: false };
        Self { kind, each: [rows, columns], invocations: [1, lanes] }
    }

    /// The same of a direct tile, with quads read and written as pairs of 64-bit integers.
    pub const fn in_pairs(mut self) -> Self {
        if let Kind::Direct { pairs, .. } = &mut self.kind {
            *pairs = true;
        }
        self
    }

    /// A tile of `rows` x `columns` x `depth` in workgroup memory, `each` results an invocation.
    pub const fn shared([rows, columns, depth]: [u32; 3], each: [u32; 2]) -> Self {
        Self {
            kind: Kind::Shared { depth },
            each,
            invocations: [rows / each[0], columns / each[1]],
        }
    }

    /// A tile of `rows` x `columns` x `depth` in workgroup memory, `fragments` a subgroup. An
    /// invocation stores quads of every `rows / invocations[0]`-th row.
    pub const fn cooperative(
        [rows, columns, depth]: [u32; 3],
        fragments: [u32; 2],
        subgroup: u32,
    ) -> Self {
        let subgroups = (rows / (8 * fragments[0])) * (columns / (8 * fragments[1]));
        let across = columns / 4;
        let down = subgroups * subgroup / across;
        Self {
            kind: Kind::Cooperative { depth, fragments, subgroup },
            each: [rows / down, 4],
            invocations: [down, across],
        }
    }

    /// (columns, rows) of results of a workgroup.
    pub const fn results(self) -> (u32, u32) {
        (self.invocations[1] * self.each[1], self.invocations[0] * self.each[0])
    }

    /// Invocations of a workgroup.
    pub const fn lanes(self) -> u32 {
        self.invocations[0] * self.invocations[1]
    }

    /// Workgroups that are run side by side at most; none where only the adapter knows. A direct
    /// tile's are the processor's threads: four each, so that none is idle for long at the end.
    pub fn side_by_side(self) -> Option<u32> {
        let threads = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        matches!(self.kind, Kind::Direct { .. }).then(|| 4 * threads() as u32)
    }

    /// Rows of a kernel that has an invocation a row: a workgroup for up to 64 of them. It is no
    /// wider than it has rows, since a software adapter runs idle invocations too.
    pub fn rows(rows: u32) -> Self {
        let lanes = rows.clamp(1, 64).next_power_of_two();
        Self { kind: Kind::Naive, each: [1, 1], invocations: [lanes, 1] }
    }

    /// Whether an adapter can run it.
    pub fn fits(self, facts: &AdapterFacts) -> bool {
        let (columns, rows) = self.results();
        // Four more rows and columns for the pitch.
        let operands = |depth| (columns + rows + 8) * depth * 4;
        let (subgroup, memory) = match self.kind {
            Kind::Naive => (0, 0),
            Kind::Direct { handed_round, pairs } => {
                if pairs && !facts.features.contains(&"int64") {
                    return false;
                }
                (handed_round, 0)
            }
            Kind::Shared { depth } => (0, operands(depth)),
            Kind::Cooperative { depth, fragments, subgroup } => {
                // Which subgroup an invocation is in follows from the size, so that must be fixed.
                if facts.fixed_subgroup != Some(subgroup)
                    || !facts.features.contains(&"cooperative_matrix")
                    || !facts.cooperative_matrices.contains(&FRAGMENT)
                {
                    return false;
                }
                (0, operands(depth) + cooperative::results(self, fragments) * 4)
            }
        };
        let has_subgroups = facts.features.contains(&"subgroups");
        (subgroup == 0 || has_subgroups && subgroup <= facts.subgroup_sizes.0)
            && self.lanes() <= facts.max_invocations
            && memory <= facts.workgroup_memory_bytes
    }
}

/// Such as `direct_16x4_8_round8_pairs`, `shared_128x128x8_8x8` or `cooperative_64x64x16_subgroup32`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.each;
        match self.kind {
            Kind::Naive => f.write_str("naive"),
            Kind::Direct { handed_round, pairs } => {
                write!(f, "direct_{rows}x{columns}_{}", self.invocations[1])?;
                if handed_round > 0 {
                    write!(f, "_round{handed_round}")?;
                }
                f.write_str(if pairs { "_pairs" } else { "" })
            }
            Kind::Shared { depth } => {
                let (all_columns, all_rows) = self.results();
                write!(f, "shared_{all_rows}x{all_columns}x{depth}_{rows}x{columns}")
            }
            Kind::Cooperative { depth, subgroup, .. } => {
                let (all_columns, all_rows) = self.results();
                write!(f, "cooperative_{all_rows}x{all_columns}x{depth}_subgroup{subgroup}")
            }
        }
    }
}

/// What a source with such a tile begins with. All invocations of a workgroup go the same way to a
/// cooperative operation, but naga takes every private variable, such as a layer's sizes, for one
/// that differs among them; the rule by which it can be told otherwise has the name of derivatives.
pub fn directives(tile: Tile) -> &'static str {
    match tile.kind {
        Kind::Cooperative { .. } => {
            "enable wgpu_cooperative_matrix;\ndiagnostic(off, derivative_uniformity);\n"
        }
        _ => "",
    }
}

/// All that a call with one product is made of behind its operand file.
pub fn text(tile: Tile, product: &Product) -> String {
    let product = as_read(tile, product);
    let (a, b) = (&product.a, &product.b);
    [
        operand("a", 6, a.buffer, a.quads),
        operand("b", 7, b.buffer, b.quads),
        format!(
            "const A_ALONG_DEPTH = {};\nconst B_ALONG_DEPTH = {};\n\n",
            a.along == Along::Depth,
            b.along == Along::Depth
        ),
        frame(tile, &product),
        function(tile, &product, Extra::default()),
    ]
    .concat()
}

/// The product as a tile reads it.
pub(super) fn as_read(tile: Tile, product: &Product) -> Product {
    let mut product = *product;
    if tile.kind == Kind::Naive {
        (product.a.quads, product.b.quads) = (false, false);
    }
    product
}

/// Whether a tile's invocations store their results as quads.
pub fn stores_quads(tile: Tile, product: &Product) -> bool {
    product.quads && tile.kind != Kind::Naive
}

/// What a tile's function refers to, and the entry point.
pub(super) fn frame(tile: Tile, product: &Product) -> String {
    let (columns, rows) = tile.results();
    let lanes = tile.lanes();
    let memory = match tile.kind {
        Kind::Shared { depth } => shared::memory(tile, depth, product),
        Kind::Cooperative { depth, fragments, .. } => {
            cooperative::memory(tile, depth, fragments, product)
        }
        _ => String::new(),
    };
    let biases = grouped::constants(tile, product.kernel);
    let hands_round = matches!(tile.kind, Kind::Direct { handed_round: 1.., .. });
    let (variable, builtin, set) = if hands_round {
        (
            "var<private> subgroup_lane: u32;\n",
            "    @builtin(subgroup_invocation_id) lane_in_subgroup: u32,\n",
            "    subgroup_lane = lane_in_subgroup;\n",
        )
    } else {
        ("", "", "")
    };
    format!(
        "\
// In units of tiles.
struct Block {{
    column: u32,
    row: u32,
}}

const TILE_ROWS = {rows}u;
const TILE_COLUMNS = {columns}u;
const LANES = {lanes}u;
{biases}{memory}{variable}
@compute @workgroup_size({lanes}, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
{builtin}) {{
{set}    run(workgroup, workgroups, lane);
}}

"
    )
}

/// An operand of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The left one.
    A,
    /// The right one.
    B,
}

/// What a direct tile does beyond its product, whose lines are steps in depth.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra {
    /// The operand whose lines it sums up too. The first tile along the other one's breadth gives
    /// `store_line_sums(at, sums)` of the operand file those of four rows or columns from `at` on;
    /// what is past the last of them means nothing.
    sums: Option<Side>,
    /// The results of a column, where they lie one behind the other and columns in fours: quads of those
    /// are stored, and the row that `store_quad` is given is the number of the quad.
    packed: Option<u32>,
}

/// The function that computes and stores a block.
pub(super) fn function(tile: Tile, product: &Product, extra: Extra) -> String {
    match tile.kind {
        Kind::Naive => direct::naive(tile, product),
        Kind::Direct { handed_round, .. } => direct::text(tile, handed_round, product, extra),
        Kind::Shared { depth } => shared::text(tile, depth, product),
        Kind::Cooperative { depth, fragments, subgroup } => {
            cooperative::text(tile, depth, fragments, subgroup, product)
        }
    }
}

/// The binding of a buffer, and the functions that read it: its elements are quads or scalars.
pub(super) fn operand(name: &str, binding: u32, buffer: &str, quads: bool) -> String {
    let (element, value, quad) = if quads {
        ("vec4<f32>", format!("{buffer}[at / 4u][at % 4u]"), format!("{buffer}[at / 4u]"))
    } else {
        let rest = format!("{buffer}[at], {buffer}[at + 1u], {buffer}[at + 2u], {buffer}[at + 3u]");
        ("f32", format!("{buffer}[at]"), format!("vec4<f32>({rest})"))
    };
    format!(
        "@group(0) @binding({binding}) var<storage, read> {buffer}: array<{element}>;

fn {name}_value(at: u32) -> f32 {{
    return {value};
}}

fn {name}_quad(at: u32) -> vec4<f32> {{
    return {quad};
}}

"
    )
}

/// The components of a vector.
const XYZW: [char; 4] = ['x', 'y', 'z', 'w'];

/// Lines of WGSL on their way.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, depth: usize, line: impl AsRef<str>) {
        for _ in 0..depth {
            self.0.push_str("    ");
        }
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }
}

/// The head of the function, and where its block begins; returns at once past the product's end.
fn begin(lines: &mut Lines, tile: Tile) {
    let across = tile.invocations[1];
    lines.push(0, "fn tile(block: Block, lane: u32) {");
    lines.push(1, "let size = problem();");
    lines.push(1, "let first_row = block.row * TILE_ROWS;");
    lines.push(1, "let first_column = block.column * TILE_COLUMNS;");
    lines.push(1, "if (first_row >= size.rows || first_column >= size.columns) {");
    lines.push(2, "return;");
    lines.push(1, "}");
    lines.push(1, "let last_row = size.rows - 1u;");
    lines.push(1, "let last_column = size.columns - 1u;");
    lines.push(1, format!("let local = vec2<u32>(lane % {across}u, lane / {across}u);"));
}
