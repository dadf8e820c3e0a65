//! What becomes of a direct tile's results, and of the sums of its operands' lines.

use super::Writer;
use crate::backend::gpu::tile::XYZW;

impl Writer<'_> {
    /// The results that are stored as quads, as many of each of an invocation's columns of quads: of
    /// its rows; or where each column's results lie one behind the other, of those.
    fn results(&self) -> Vec<String> {
        let quads = self.quads;
        let Some(length) = self.extra.packed else {
            return (0..self.rows * quads)
                .map(|i| format!("sum{}_{}", i / quads, i % quads))
                .collect();
        };
        // `length` quads hold four columns of `length` results.
        let packed = |i: u32| {
            let element = |j: u32| {
                let at = i / quads * 4 + j;
                format!("sum{}_{}.{}", at % length, i % quads, XYZW[(at / length) as usize])
            };
            format!("vec4<f32>({}, {}, {}, {})", element(0), element(1), element(2), element(3))
        };
        (0..length * quads).map(packed).collect()
    }

    /// Loops over the results: the text that stores one is long, and compiled for each otherwise. The
    /// inner one takes them from the group that the outer one picks: of selects, since an array
    /// would be written a lane at a time. They end by the rows that there are, lest the driver unrolls
    /// them.
    pub(super) fn store(&mut self) {
        let (quads, apart, rows) = (self.quads, self.apart, self.rows);
        let results = self.results();
        let all = results.len();
        let group = all.min(GROUP);
        let lines = &mut self.lines;
        lines.push(1, format!("let rows = min(size.rows - min(row, size.rows), {rows}u);"));
        lines.push(1, format!("let results = rows * {quads}u;"));
        lines.push(1, format!("for (var group = 0u; group < results; group += {group}u) {{"));
        for j in 0..group {
            let of_groups: Vec<String> = results[j..].iter().step_by(group).cloned().collect();
            lines.push(2, format!("let own{j} = {};", picked("group", group as u32, &of_groups)));
        }
        lines.push(2, format!("let ends = min(results - group, {group}u);"));
        lines.push(2, "for (var i = 0u; i < ends; i++) {");
        let own: Vec<String> = (0..group).map(|j| format!("own{j}")).collect();
        lines.push(3, format!("let sum = {};", picked("i", 1, &own)));
        lines.push(3, format!("let r = row + (group + i) / {quads}u;"));
        lines.push(3, format!("let c = column + (group + i) % {quads}u * {apart}u;"));
        lines.push(3, "if (c <= last_column) {");
        lines.push(4, "store_quad(r, c, size.columns - c, sum);");
        lines.push(3, "}");
        lines.push(2, "}");
        lines.push(1, "}");
    }

    /// Stores the sums of A's lines, those of the first tiles along the columns: a quad an invocation.
    pub(super) fn store_a_sums(&mut self) {
        let quads = self.rows / 4;
        if self.handed_round == 0 {
            self.lines.push(1, "if (first_column == 0u && local.x == 0u) {");
            for quad in 0..quads {
                let at = quad * 4;
                self.lines.push(2, format!("store_line_sums(row + {at}u, line_sum{quad});"));
            }
            self.lines.push(1, "}");
            return;
        }
        self.lines.push(1, "if (first_column == 0u) {");
        // The lanes that have loaded a quad at the steps of a depth of four.
        for quad in 0..quads {
            let of_step = |step: u32| {
                let index = step * quads + quad;
                let (i, lane) = (index / self.handed_round, index % self.handed_round);
                format!("subgroupShuffle(line_sum{i}, {lane}u)")
            };
            let [x, y, z, w] = [0, 1, 2, 3].map(of_step);
            self.lines.push(2, format!("let rows_sum{quad} = ({x} + {y}) + ({z} + {w});"));
        }
        self.lines.push(2, format!("if (local.x < {}u) {{", quads.min(self.handed_round)));
        for first in (0..quads).step_by(self.handed_round as usize) {
            let last = quads.min(first + self.handed_round);
            let sums: Vec<String> = (first..last).map(|quad| format!("rows_sum{quad}")).collect();
            let sum = picked("local.x", 1, &sums);
            self.lines.push(3, format!("store_line_sums(row + (local.x + {first}u) * 4u, {sum});"));
        }
        self.lines.push(2, "}");
        self.lines.push(1, "}");
    }

    /// Stores the sums of B's lines, those of the first tiles along the rows.
    pub(super) fn store_b_sums(&mut self) {
        self.lines.push(1, "if (first_row == 0u) {");
        for quad in 0..self.quads {
            let at = quad * self.apart;
            self.lines.push(2, format!("store_line_sums(column + {at}u, line_sum{quad});"));
        }
        self.lines.push(1, "}");
    }
}

/// Results that are picked from at once.
const GROUP: usize = 8;

/// The text that picks one of some values, of which an index counts every `step`: by halves.
fn picked(index: &str, step: u32, values: &[String]) -> String {
    fn of(index: &str, step: u32, first: u32, values: &[String]) -> String {
        match values {
            [only] => only.clone(),
            _ => {
                let half = values.len() / 2;
                let middle = first + half as u32;
                let low = of(index, step, first, &values[..half]);
                let high = of(index, step, middle, &values[half..]);
                format!("select({high}, {low}, {index} < {}u)", middle * step)
            }
        }
    }
    of(index, step, 0, values)
}
