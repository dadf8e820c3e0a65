//! Tiles through workgroup memory, for real GPUs. Both operands lie there by depth, in quads of rows
//! and of columns; what is read along the depth is transposed on its way, in blocks of 4x4. The next
//! tile is on its way into registers while one is multiplied.

use super::{Along, Kind, Lines, Operand, Product, Tile, XYZW, begin};

/// Steps in depth that are written out.
const UNROLLED: u32 = 8;

/// One operand's part of a tile.
pub(super) struct Side<'a> {
    role: char,
    operand: &'a Operand,
    /// Whether it lies in workgroup memory as scalars, not as quads.
    scalars: bool,
    /// Rows or columns of the tile.
    breadth: u32,
    /// Steps in depth of the tile.
    depth: u32,
    /// The first invocation that loads it.
    first: u32,
    invocations: u32,
}

impl Side<'_> {
    /// Blocks of 4x4 that it is loaded in.
    fn blocks(&self) -> u32 {
        self.breadth * self.depth / 16
    }

    /// Blocks an invocation.
    fn rounds(&self) -> u32 {
        self.blocks().div_ceil(self.invocations)
    }

    /// Quads between two steps in depth: a transposed store wants neighbours in other banks.
    pub(super) fn pitch(&self) -> u32 {
        self.breadth / 4 + u32::from(self.operand.along == Along::Depth)
    }

    fn declare(&self, lines: &mut Lines) {
        let quads = self.pitch() * self.depth;
        let role = self.role;
        let (element, count) = if self.scalars { ("f32", quads * 4) } else { ("vec4<f32>", quads) };
        lines.push(0, format!("var<workgroup> {role}_tile: array<{element}, {count}>;"));
    }

    /// Which blocks are the invocation's, where they stand, and room for them in registers.
    pub(super) fn places(&self, lines: &mut Lines) {
        let role = self.role;
        let (first, last) = (self.first, if role == 'a' { "last_row" } else { "last_column" });
        let origin = if role == 'a' { "first_row" } else { "first_column" };
        let (across, deep) = (self.breadth / 4, self.depth / 4);
        for round in 0..self.rounds() {
            let name = format!("{role}{round}");
            let on = round * self.invocations;
            // Before `first` it wraps round, and is no block either.
            lines.push(1, format!("let {name}_block = lane - {first}u + {on}u;"));
            // Neighbours read neighbours in memory.
            let (quad, step) = match self.operand.along {
                Along::Depth => {
                    (format!("{name}_block / {deep}u"), format!("{name}_block % {deep}u"))
                }
                Along::Breadth => {
                    (format!("{name}_block % {across}u"), format!("{name}_block / {across}u"))
                }
            };
            lines.push(1, format!("let {name}_quad = {quad};"));
            lines.push(1, format!("let {name}_step = ({step}) * 4u;"));
            lines.push(1, format!("let {name}_at = {origin} + {name}_quad * 4u;"));
            for i in 0..4 {
                if self.operand.along == Along::Depth {
                    let line = format!("{role}_line(min({name}_at + {i}u, {last}))");
                    lines.push(1, format!("let {name}_line{i} = {line};"));
                }
                lines.push(1, format!("var {name}_{i} = vec4<f32>();"));
            }
        }
    }

    /// Whether some invocations have no block in a round.
    fn partial(&self, round: u32) -> bool {
        self.first > 0 || (round + 1) * self.invocations > self.blocks()
    }

    /// Runs `body` for each of the invocation's blocks.
    fn each_block(&self, lines: &mut Lines, indent: usize, body: impl Fn(&mut Lines, usize, &str)) {
        for round in 0..self.rounds() {
            let name = format!("{}{round}", self.role);
            if self.partial(round) {
                lines.push(indent, format!("if ({name}_block < {}u) {{", self.blocks()));
                body(lines, indent + 1, &name);
                lines.push(indent, "}");
            } else {
                body(lines, indent, &name);
            }
        }
    }

    /// As `load`, where the tile lies inside of the product and the step of the whole tile inside
    /// of its depth.
    fn load_inside(&self, lines: &mut Lines, indent: usize, from: &str) {
        let role = self.role;
        self.each_block(lines, indent, |lines, indent, name| {
            for i in 0..4 {
                let (line, at) = match self.operand.along {
                    Along::Depth => (format!("{name}_line{i}"), format!("{from} + {name}_step")),
                    Along::Breadth => {
                        (format!("{role}_line({from} + {name}_step + {i}u)"), format!("{name}_at"))
                    }
                };
                let value = if self.operand.quads {
                    format!("load_{role}_quad({line}, {at})")
                } else {
                    lines.push(indent, format!("let {name}_line_at{i} = {line};"));
                    let [x, y, z, w] = [0, 1, 2, 3]
                        .map(|j| format!("load_{role}({name}_line_at{i}, {at} + {j}u)"));
                    format!("vec4<f32>({x}, {y}, {z}, {w})")
                };
                lines.push(indent, format!("{name}_{i} = {value};"));
            }
        });
    }

    /// From storage into registers, from the step in depth `from` on. Past the depth: zeros.
    pub(super) fn load(&self, lines: &mut Lines, indent: usize, from: &str) {
        let role = self.role;
        let last = if role == 'a' { "last_row" } else { "last_column" };
        self.each_block(lines, indent, |lines, indent, name| {
            for i in 0..4 {
                let value = match (self.operand.along, self.operand.quads) {
                    (Along::Depth, true) => {
                        let k = format!("{from} + {name}_step");
                        let load =
                            format!("load_{role}_quad({name}_line{i}, min({k}, size.depth - 4u))");
                        format!("select(vec4<f32>(), {load}, {k} < size.depth)")
                    }
                    (Along::Depth, false) => {
                        let element = |j: u32| {
                            let k = format!("{from} + {name}_step + {j}u");
                            let load =
                                format!("load_{role}({name}_line{i}, min({k}, size.depth - 1u))");
                            format!("select(0.0, {load}, {k} < size.depth)")
                        };
                        let [x, y, z, w] = [0, 1, 2, 3].map(element);
                        format!("vec4<f32>({x}, {y}, {z}, {w})")
                    }
                    (Along::Breadth, quads) => {
                        let k = format!("{from} + {name}_step + {i}u");
                        lines.push(indent, format!("let {name}_k{i} = min({k}, size.depth - 1u);"));
                        lines.push(
                            indent,
                            format!("let {name}_line{i} = {role}_line({name}_k{i});"),
                        );
                        let line = format!("{name}_line{i}");
                        let load = if quads {
                            format!("load_{role}_quad({line}, min({name}_at, {last} & ~3u))")
                        } else {
                            let [x, y, z, w] = [0, 1, 2, 3].map(|j| {
                                format!("load_{role}({line}, min({name}_at + {j}u, {last}))")
                            });
                            format!("vec4<f32>({x}, {y}, {z}, {w})")
                        };
                        format!("select(vec4<f32>(), {load}, {k} < size.depth)")
                    }
                };
                lines.push(indent, format!("{name}_{i} = {value};"));
            }
        });
    }

    /// From registers into workgroup memory.
    pub(super) fn keep(&self, lines: &mut Lines, indent: usize) {
        let (role, pitch) = (self.role, self.pitch());
        self.each_block(lines, indent, |lines, indent, name| {
            for i in 0..4 {
                let value = match self.operand.along {
                    Along::Breadth => format!("{name}_{i}"),
                    Along::Depth => {
                        let c = XYZW[i as usize];
                        format!("vec4<f32>({name}_0.{c}, {name}_1.{c}, {name}_2.{c}, {name}_3.{c})")
                    }
                };
                let at = format!("({name}_step + {i}u) * {pitch}u + {name}_quad");
                if self.scalars {
                    lines.push(indent, format!("let {name}_kept{i} = {value};"));
                    for (j, c) in XYZW.iter().enumerate() {
                        let at = format!("({at}) * 4u + {j}u");
                        lines.push(indent, format!("{role}_tile[{at}] = {name}_kept{i}.{c};"));
                    }
                } else {
                    lines.push(indent, format!("{role}_tile[{at}] = {value};"));
                }
            }
        });
    }
}

/// Both operands' parts of a tile.
pub(super) fn sides(tile: Tile, depth: u32, product: &Product) -> [Side<'_>; 2] {
    let (all_columns, all_rows) = tile.results();
    let invocations = tile.lanes();
    let a = Side {
        role: 'a',
        operand: &product.a,
        scalars: matches!(tile.kind, Kind::Cooperative { .. }),
        breadth: all_rows,
        depth,
        first: 0,
        invocations,
    };
    let mut b = Side { role: 'b', operand: &product.b, breadth: all_columns, ..a };
    // Where both fit side by side, other invocations load B.
    if a.blocks() + b.blocks() <= invocations {
        b.first = a.blocks();
    }
    [a, b]
}

/// The workgroup memory.
pub(super) fn memory(tile: Tile, depth: u32, product: &Product) -> String {
    let mut lines = Lines::default();
    sides(tile, depth, product).iter().for_each(|side| side.declare(&mut lines));
    lines.0
}

/// The loop over the depth: while a step of the tile is multiplied, the next is on its way into
/// registers. All invocations take part.
pub(super) fn through_memory(
    lines: &mut Lines,
    sides: &[Side<'_>; 2],
    depth: u32,
    multiply: impl FnOnce(&mut Lines, &[Side<'_>; 2]),
) {
    // Most workgroups lie inside of the product, and most of their steps in depth are whole: those
    // load without looking for its end. What multiplies is one text for all.
    lines.push(1, "let inside = first_row + TILE_ROWS <= size.rows");
    lines.push(2, "&& first_column + TILE_COLUMNS <= size.columns;");
    lines.push(1, format!("let whole = select(0u, size.depth - size.depth % {depth}u, inside);"));
    for side in sides {
        side.load(lines, 1, "0u");
    }
    lines.push(1, format!("for (var k = 0u; k < size.depth; k += {depth}u) {{"));
    for side in sides {
        side.keep(lines, 2);
    }
    lines.push(2, "workgroupBarrier();");
    lines.push(2, format!("let next = k + {depth}u;"));
    lines.push(2, "if (next < whole) {");
    for side in sides {
        side.load_inside(lines, 3, "next");
    }
    lines.push(2, "} else if (next < size.depth) {");
    for side in sides {
        side.load(lines, 3, "next");
    }
    lines.push(2, "}");
    multiply(lines, sides);
    lines.push(2, "workgroupBarrier();");
    lines.push(1, "}");
}

/// What multiplies a step of the tile.
fn multiply(lines: &mut Lines, tile: Tile, depth: u32, a: &Side<'_>, b: &Side<'_>) {
    let [down, across] = tile.invocations;
    let [rows, columns] = tile.each;
    let (row_quads, column_quads) = (rows / 4, columns / 4);
    let unrolled = depth.min(UNROLLED);
    lines.push(2, format!("for (var step = 0u; step < {depth}u; step += {unrolled}u) {{"));
    for step in 0..unrolled {
        for quad in 0..row_quads {
            let at = format!("(step + {step}u) * {}u + my_row + {}u", a.pitch(), quad * down);
            lines.push(3, format!("let a{step}_{quad} = a_tile[{at}];"));
        }
        for quad in 0..column_quads {
            let at = format!("(step + {step}u) * {}u + my_column + {}u", b.pitch(), quad * across);
            lines.push(3, format!("let b{step}_{quad} = b_tile[{at}];"));
        }
        for row in 0..rows {
            let a = format!("a{step}_{}.{}", row / 4, XYZW[(row % 4) as usize]);
            for quad in 0..column_quads {
                lines.push(3, format!("sum{row}_{quad} += {a} * b{step}_{quad};"));
            }
        }
    }
    lines.push(2, "}");
}

pub(super) fn text(tile: Tile, depth: u32, product: &Product) -> String {
    let [down, across] = tile.invocations;
    let [rows, columns] = tile.each;
    let [a, b] = sides(tile, depth, product);
    let column_quads = columns / 4;
    let mut lines = Lines::default();
    begin(&mut lines, tile);
    lines.push(1, "let my_row = local.y;");
    lines.push(1, "let my_column = local.x;");
    for side in [&a, &b] {
        side.places(&mut lines);
    }
    for quad in 0..column_quads {
        let column = format!("first_column + my_column * 4u + {}u", quad * across * 4);
        lines.push(1, format!("let start{quad} = {};", product.start_quad(&column)));
    }
    for row in 0..rows {
        for quad in 0..column_quads {
            lines.push(1, format!("var sum{row}_{quad} = start{quad};"));
        }
    }
    through_memory(&mut lines, &[a, b], depth, |lines, [a, b]| {
        multiply(lines, tile, depth, a, b);
    });
    for row in 0..rows {
        let on = row / 4 * down * 4 + row % 4;
        lines.push(1, format!("let row{row} = first_row + my_row * 4u + {on}u;"));
        for quad in 0..column_quads {
            let on = quad * across * 4;
            let column = format!("first_column + my_column * 4u + {on}u");
            lines.push(1, format!("if (row{row} <= last_row && {column} <= last_column) {{"));
            let rest = format!("size.columns - ({column})");
            lines.push(2, format!("store_quad(row{row}, {column}, {rest}, sum{row}_{quad});"));
            lines.push(1, "}");
        }
    }
    lines.push(0, "}");
    lines.0
}
