//! Register tiles straight from storage: no workgroup memory, no barrier. The tiles of software
//! adapters, where both cost more than they save, and where a load is a loop over the lanes of a
//! subgroup: what counts is loads a product. Where subgroups are wide enough, each lane loads other
//! elements of A and hands them round, so that a load brings as many as there are lanes. By shuffles:
//! a broadcast looks for the first lane that is active each time.

mod results;

use super::{Along, Extra, Lines, Operand, Product, Side, Tile, XYZW, begin};

/// One result an invocation.
pub(super) fn naive(tile: Tile, product: &Product) -> String {
    let mut lines = Lines::default();
    begin(&mut lines, tile);
    lines.push(1, "let row = min(first_row + local.y, last_row);");
    lines.push(1, "let column = min(first_column + local.x, last_column);");
    let load = |operand: &Operand, role: char, breadth: &str, lines: &mut Lines| {
        if operand.along == Along::Depth {
            lines.push(1, format!("let {role} = {role}_line({breadth});"));
            format!("load_{role}({role}, k)")
        } else {
            format!("load_{role}({role}_line(k), {breadth})")
        }
    };
    let a = load(&product.a, 'a', "row", &mut lines);
    let b = load(&product.b, 'b', "column", &mut lines);
    lines.push(1, format!("var sum = {};", product.start("column")));
    lines.push(1, "for (var k = 0u; k < size.depth; k++) {");
    lines.push(2, format!("sum += {a} * {b};"));
    lines.push(1, "}");
    lines
        .push(1, "if (first_row + local.y <= last_row && first_column + local.x <= last_column) {");
    lines.push(2, "store_quad(row, column, 1u, vec4<f32>(sum, 0.0, 0.0, 0.0));");
    lines.push(1, "}");
    lines.push(0, "}");
    lines.0
}

/// Writes `tile`.
struct Writer<'a> {
    lines: Lines,
    rows: u32,
    /// Quads of columns an invocation.
    quads: u32,
    /// Columns between them.
    apart: u32,
    handed_round: u32,
    product: &'a Product,
    extra: Extra,
    /// Whether the last steps of four may be past the depth.
    padded: bool,
}

/// The text of a tile. What it does beyond the product takes operands that both lie along the breadth.
pub(super) fn text(tile: Tile, handed_round: u32, product: &Product, extra: Extra) -> String {
    let [rows, columns] = tile.each;
    let [_, across] = tile.invocations;
    let mut writer = Writer {
        lines: Lines::default(),
        rows,
        quads: columns / 4,
        apart: across * 4,
        handed_round,
        product,
        extra,
        padded: false,
    };
    let lines = &mut writer.lines;
    begin(lines, tile);
    lines.push(1, format!("let row = first_row + local.y * {rows}u;"));
    lines.push(1, "let column = first_column + local.x * 4u;");
    if handed_round > 0 {
        lines.push(1, format!("let neighbour = subgroup_lane % {handed_round}u;"));
    }
    writer.a_places();
    writer.b_places();
    for quad in 0..writer.quads {
        let column = format!("column + {}u", quad * writer.apart);
        writer.lines.push(1, format!("let start{quad} = {};", product.start_quad(&column)));
    }
    for row in 0..rows {
        for quad in 0..writer.quads {
            writer.lines.push(1, format!("var sum{row}_{quad} = start{quad};"));
        }
    }
    for i in 0..writer.line_sums() {
        writer.lines.push(1, format!("var line_sum{i} = vec4<f32>();"));
    }
    // Whole quads along the depth leave nothing over. Where no operand lies along it, a step past it
    // is one of zeros, which is cheaper than a second loop.
    let along_depth = |x: &&Operand| x.along == Along::Depth;
    let any = [&product.a, &product.b].into_iter().any(|x| along_depth(&x));
    let quads = [&product.a, &product.b].into_iter().filter(along_depth).any(|x| x.quads);
    let rest = any && !quads;
    writer.padded = !any;
    if rest {
        writer.lines.push(1, "let whole = size.depth - size.depth % 4u;");
    } else if writer.padded {
        writer.lines.push(1, "let last_step = size.depth - 1u;");
    }
    let whole = if rest { "whole" } else { "size.depth" };
    writer.lines.push(1, format!("for (var k = 0u; k < {whole}; k += 4u) {{"));
    writer.steps(4);
    writer.lines.push(1, "}");
    if rest {
        writer.lines.push(1, "for (var k = whole; k < size.depth; k++) {");
        writer.steps(1);
        writer.lines.push(1, "}");
    }
    writer.store();
    match extra.sums {
        Some(Side::A) => writer.store_a_sums(),
        Some(Side::B) => writer.store_b_sums(),
        None => {}
    }
    writer.lines.push(0, "}");
    writer.lines.0
}

/// `k`, or so many steps on.
fn at_step(step: u32) -> String {
    if step == 0 { "k".to_owned() } else { format!("k + {step}u") }
}

/// A quad of a line along the breadth: four neighbours from `at` on, none past `last`.
fn breadth_quad(role: char, operand: &Operand, line: &str, at: &str, last: &str) -> String {
    if operand.quads {
        return format!("load_{role}_quad({line}, min({at}, {last} & ~3u))");
    }
    let element = |i: u32| format!("load_{role}({line}, min({at} + {i}u, {last}))");
    format!("vec4<f32>({}, {}, {}, {})", element(0), element(1), element(2), element(3))
}

/// Four steps of a line along the depth.
fn depth_quad(role: char, operand: &Operand, line: &str) -> String {
    if operand.quads {
        return format!("load_{role}_quad({line}, k)");
    }
    let element = |i: u32| format!("load_{role}({line}, {})", at_step(i));
    format!("vec4<f32>({}, {}, {}, {})", element(0), element(1), element(2), element(3))
}

impl Writer<'_> {
    /// The step in depth to load, for a step that may be past the last.
    fn step(&self, step: &str) -> String {
        if self.padded { format!("min({step}, last_step)") } else { step.to_owned() }
    }

    /// What is to hold for a load of a step.
    fn there(&self, place: &str, step: &str) -> String {
        if self.padded { format!("{place} && {step} <= last_step") } else { place.to_owned() }
    }

    /// Loads a value where it is there, else zeros: a lane that loads nothing costs little.
    fn load(&mut self, name: &str, of_type: &str, there: &str, load: &str) {
        self.lines.push(2, format!("var {name} = {of_type}();"));
        self.lines.push(2, format!("if ({there}) {{"));
        self.lines.push(3, format!("{name} = {load};"));
        self.lines.push(2, "}");
    }

    /// Loads of A for so many quads, or rows, of it.
    fn held(&self, count: u32) -> u32 {
        count.div_ceil(self.handed_round)
    }

    /// Where A's rows begin and whether they are there, as far as that does not change with the depth.
    fn a_places(&mut self) {
        if self.product.a.along == Along::Breadth {
            return;
        }
        let lines = if self.handed_round == 0 { self.rows } else { self.held(self.rows) };
        for i in 0..lines {
            let own = match self.handed_round {
                0 => format!("row + {i}u"),
                round => format!("row + {}u + neighbour", i * round),
            };
            self.lines.push(1, format!("let a_there{i} = {own} <= last_row;"));
            self.lines.push(1, format!("let a_line{i} = a_line(min({own}, last_row));"));
        }
    }

    /// The same of B's columns.
    fn b_places(&mut self) {
        for quad in 0..self.quads {
            if self.product.b.along == Along::Breadth {
                let own = format!("column + {}u", quad * self.apart);
                self.lines.push(1, format!("let b_there{quad} = {own} <= last_column;"));
                continue;
            }
            for i in 0..4 {
                let own = format!("column + {}u", quad * self.apart + i);
                self.lines.push(1, format!("let b_there{quad}_{i} = {own} <= last_column;"));
                let line = format!("let b_line{quad}_{i} = b_line(min({own}, last_column));");
                self.lines.push(1, line);
            }
        }
    }

    /// Sums of an operand's lines that an invocation keeps, in quads: of all that it loads of A, or of
    /// its own columns of B.
    fn line_sums(&self) -> u32 {
        match self.extra.sums {
            Some(Side::A) if self.handed_round > 0 => self.held(self.rows),
            Some(Side::A) => self.rows / 4,
            Some(Side::B) => self.quads,
            None => 0,
        }
    }

    /// Adds four steps of an operand, of which each invocation has all, to its sums.
    fn add_lines(&mut self, side: Side, role: char) {
        if self.extra.sums != Some(side) {
            return;
        }
        for i in 0..self.line_sums() {
            let [x, y, z, w] = [0, 1, 2, 3].map(|step| format!("{role}{step}_{i}"));
            self.lines.push(2, format!("line_sum{i} += ({x} + {y}) + ({z} + {w});"));
        }
    }

    /// The products of 1 or 4 steps in depth.
    fn steps(&mut self, steps: u32) {
        if self.product.a.along == Along::Depth {
            self.a_along_depth(steps);
        } else {
            self.a_along_breadth(steps);
        }
        if self.product.b.along == Along::Depth {
            self.b_along_depth(steps);
        }
        if self.product.b.along == Along::Breadth {
            self.b_lines(steps);
        }
        for step in 0..steps {
            for quad in 0..self.quads {
                self.b_quad(step, quad, steps);
            }
        }
        self.add_lines(Side::B, 'b');
        for step in 0..steps {
            for quad in 0..self.quads {
                for row in 0..self.rows {
                    let a = self.a_element(row, step, steps);
                    self.lines.push(2, format!("sum{row}_{quad} += {a} * b{step}_{quad};"));
                }
            }
        }
    }

    fn a_along_depth(&mut self, steps: u32) {
        let a = self.product.a;
        let of_type = if steps == 4 { "vec4<f32>" } else { "f32" };
        let (name, lines) = match self.handed_round {
            0 => ("a", self.rows),
            _ => ("held", self.held(self.rows)),
        };
        for i in 0..lines {
            let line = format!("a_line{i}");
            let load =
                if steps == 4 { depth_quad('a', &a, &line) } else { format!("load_a({line}, k)") };
            self.load(&format!("{name}{i}"), of_type, &format!("a_there{i}"), &load);
        }
        if self.handed_round == 0 {
            return;
        }
        for row in 0..self.rows {
            let (i, lane) = (row / self.handed_round, row % self.handed_round);
            self.lines.push(2, format!("let a{row} = subgroupShuffle(held{i}, {lane}u);"));
        }
    }

    fn a_along_breadth(&mut self, steps: u32) {
        let a = self.product.a;
        let quads = self.rows / 4;
        if self.handed_round == 0 {
            for step in 0..steps {
                let line = format!("a_line({})", self.step(&at_step(step)));
                for quad in 0..quads {
                    let at = format!("row + {}u", quad * 4);
                    let load = breadth_quad('a', &a, &line, &at, "last_row");
                    let there = self.there(&format!("{at} <= last_row"), &at_step(step));
                    self.load(&format!("a{step}_{quad}"), "vec4<f32>", &there, &load);
                }
            }
            self.add_lines(Side::A, 'a');
            return;
        }
        let all = quads * steps;
        for i in 0..self.held(all) {
            let first = i * self.handed_round;
            let mine = if first + self.handed_round > all {
                format!("min({first}u + neighbour, {}u)", all - 1)
            } else {
                format!("{first}u + neighbour")
            };
            self.lines.push(2, format!("let mine{i} = {mine};"));
            self.lines.push(2, format!("let mine_at{i} = row + mine{i} % {quads}u * 4u;"));
            self.lines.push(2, format!("let mine_step{i} = k + mine{i} / {quads}u;"));
            let line = format!("a_line({})", self.step(&format!("mine_step{i}")));
            self.lines.push(2, format!("let mine_line{i} = {line};"));
            let (line, at) = (format!("mine_line{i}"), format!("mine_at{i}"));
            let load = breadth_quad('a', &a, &line, &at, "last_row");
            let there = self.there(&format!("{at} <= last_row"), &format!("mine_step{i}"));
            self.load(&format!("held{i}"), "vec4<f32>", &there, &load);
            if self.extra.sums == Some(Side::A) {
                self.lines.push(2, format!("line_sum{i} += held{i};"));
            }
        }
        for step in 0..steps {
            for quad in 0..quads {
                let index = step * quads + quad;
                let (i, lane) = (index / self.handed_round, index % self.handed_round);
                let name = format!("a{step}_{quad}");
                self.lines.push(2, format!("let {name} = subgroupShuffle(held{i}, {lane}u);"));
            }
        }
    }

    fn a_element(&self, row: u32, step: u32, steps: u32) -> String {
        match (self.product.a.along, steps) {
            (Along::Depth, 1) => format!("a{row}"),
            (Along::Depth, _) => format!("a{row}.{}", XYZW[step as usize]),
            (Along::Breadth, _) => {
                format!("a{step}_{}.{}", row / 4, XYZW[(row % 4) as usize])
            }
        }
    }

    /// Where B's lines begin: that of each step, or the lanes' own handed round where it is loaded.
    fn b_lines(&mut self, steps: u32) {
        let shares = self.product.b.gathered && self.handed_round >= steps && steps > 1;
        if shares {
            let mine = self.step(&format!("k + neighbour % {steps}u"));
            self.lines.push(2, format!("let own_line = b_line({mine});"));
        }
        for step in 0..steps {
            let line = match shares {
                true => format!("subgroupShuffle(own_line, {step}u)"),
                false => format!("b_line({})", self.step(&at_step(step))),
            };
            self.lines.push(2, format!("let line{step} = {line};"));
        }
    }

    fn b_along_depth(&mut self, steps: u32) {
        let b = self.product.b;
        let of_type = if steps == 4 { "vec4<f32>" } else { "f32" };
        for quad in 0..self.quads {
            for i in 0..4 {
                let line = format!("b_line{quad}_{i}");
                let load = if steps == 4 {
                    depth_quad('b', &b, &line)
                } else {
                    format!("load_b({line}, k)")
                };
                let there = format!("b_there{quad}_{i}");
                self.load(&format!("column{quad}_{i}"), of_type, &there, &load);
            }
        }
    }

    /// Four neighbouring columns of B at a step.
    fn b_quad(&mut self, step: u32, quad: u32, steps: u32) {
        let name = format!("b{step}_{quad}");
        if self.product.b.along == Along::Breadth {
            let at = format!("column + {}u", quad * self.apart);
            let line = format!("line{step}");
            let load = breadth_quad('b', &self.product.b, &line, &at, "last_column");
            let there = self.there(&format!("b_there{quad}"), &at_step(step));
            self.load(&name, "vec4<f32>", &there, &load);
            return;
        }
        let component =
            if steps == 4 { format!(".{}", XYZW[step as usize]) } else { String::new() };
        let [x, y, z, w] = [0, 1, 2, 3].map(|i| format!("column{quad}_{i}{component}"));
        self.lines.push(2, format!("let {name} = vec4<f32>({x}, {y}, {z}, {w});"));
    }
}
