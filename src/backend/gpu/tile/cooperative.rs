//! Tiles whose products are cooperative matrices: `simdgroup_matrix` on Metal,
//! `VK_KHR_cooperative_matrix` on Vulkan. Operands come through workgroup memory as in `shared`, but as
//! scalars: Metal loads a fragment from a pointer to its element. Each subgroup multiplies a block of
//! fragments; its results go through workgroup memory too, one row of fragments at a time, so that
//! every invocation hands whole quads to `store_quad`. A fragment's elements are never accessed, since
//! which invocation holds which is the driver's own affair.

use super::shared::{self, sides, through_memory};
use super::{Lines, Product, Tile, begin};
use crate::backend::gpu::device::CooperativeMatrix;

/// Rows, columns and depth of a fragment.
const SIDE: u32 = 8;

/// The product that an adapter must have.
pub const FRAGMENT: CooperativeMatrix =
    CooperativeMatrix { rows: SIDE, columns: SIDE, depth: SIDE, operands: "f32", results: "f32" };

/// The sizes of subgroups that there are tiles for: that of software Vulkan, and that of GPUs.
pub const SUBGROUPS: [u32; 2] = [8, 32];

/// The tiles that are worth a try with such subgroups, from the largest to the smallest.
pub fn candidates(subgroup: u32) -> Vec<Tile> {
    if !SUBGROUPS.contains(&subgroup) {
        return Vec::new();
    }
    vec![
        Tile::cooperative([64, 64, 16], [4, 4], subgroup),
        Tile::cooperative([64, 32, 16], [4, 2], subgroup),
        Tile::cooperative([32, 32, 32], [4, 2], subgroup),
    ]
}

/// Subgroups of a workgroup, along the rows and along the columns.
fn subgroups(tile: Tile, [down, across]: [u32; 2]) -> [u32; 2] {
    let (columns, rows) = tile.results();
    [rows / (SIDE * down), columns / (SIDE * across)]
}

/// Scalars of workgroup memory for results: a row of fragments of each subgroup.
pub(super) fn results(tile: Tile, fragments: [u32; 2]) -> u32 {
    subgroups(tile, fragments)[0] * SIDE * tile.results().0
}

/// The workgroup memory.
pub(super) fn memory(tile: Tile, depth: u32, fragments: [u32; 2], product: &Product) -> String {
    let count = results(tile, fragments);
    let operands = shared::memory(tile, depth, product);
    format!("{operands}var<workgroup> result_tile: array<f32, {count}>;\n")
}

pub(super) fn text(
    tile: Tile,
    depth: u32,
    fragments: [u32; 2],
    subgroup: u32,
    product: &Product,
) -> String {
    let [down, across] = fragments;
    let columns = tile.results().0;
    let subgroups_across = subgroups(tile, fragments)[1];
    let [a, b] = sides(tile, depth, product);
    let mut lines = Lines::default();
    begin(&mut lines, tile);
    lines.push(1, format!("let subgroup = lane / {subgroup}u;"));
    lines.push(1, format!("let across = subgroup % {subgroups_across}u * {}u;", SIDE * across));
    lines.push(1, format!("let down = subgroup / {subgroups_across}u;"));
    for side in [&a, &b] {
        side.places(&mut lines);
    }
    // An update's workgroup may come from another tile, whose results lie there.
    lines.push(1, "workgroupBarrier();");
    // Drivers do not agree on what a fragment holds that was given nothing.
    lines.push(1, format!("for (var i = lane; i < {}u; i += LANES) {{", SIDE * SIDE));
    lines.push(2, "result_tile[i] = 0.0;");
    lines.push(1, "}");
    lines.push(1, "workgroupBarrier();");
    for i in 0..down {
        for j in 0..across {
            let zeros = format!("coopLoadT<coop_mat8x8<f32, C>>(&result_tile[0], {SIDE}u)");
            lines.push(1, format!("var sum{i}_{j} = {zeros};"));
        }
    }
    through_memory(&mut lines, &[a, b], depth, |lines, [a, b]| {
        lines.push(2, format!("for (var step = 0u; step < {depth}u; step += {SIDE}u) {{"));
        // Operands lie by depth: A is transposed there, B is not.
        let (a_pitch, b_pitch) = (a.pitch() * 4, b.pitch() * 4);
        for i in 0..down {
            let at = format!("step * {a_pitch}u + down * {}u + {}u", SIDE * down, SIDE * i);
            let load = format!("coopLoad<coop_mat8x8<f32, A>>(&a_tile[{at}], {a_pitch}u)");
            lines.push(3, format!("let a{i} = {load};"));
        }
        for j in 0..across {
            let at = format!("step * {b_pitch}u + across + {}u", SIDE * j);
            let load = format!("coopLoadT<coop_mat8x8<f32, B>>(&b_tile[{at}], {b_pitch}u)");
            lines.push(3, format!("let b{j} = {load};"));
        }
        for i in 0..down {
            for j in 0..across {
                lines.push(3, format!("sum{i}_{j} = coopMultiplyAdd(a{i}, b{j}, sum{i}_{j});"));
            }
        }
        lines.push(2, "}");
    });
    let quads = results(tile, fragments) / 4;
    for i in 0..down {
        for j in 0..across {
            let at = format!("down * {}u + across + {}u", SIDE * columns, SIDE * j);
            lines.push(1, format!("coopStoreT(sum{i}_{j}, &result_tile[{at}], {columns}u);"));
        }
        lines.push(1, "workgroupBarrier();");
        lines.push(1, format!("for (var quad = lane; quad < {quads}u; quad += LANES) {{"));
        lines.push(2, format!("let among = quad / {}u;", columns / 4));
        let row = format!("among / {SIDE}u * {}u + {}u + among % {SIDE}u", SIDE * down, SIDE * i);
        lines.push(2, format!("let row = first_row + {row};"));
        lines.push(2, format!("let column = first_column + quad % {}u * 4u;", columns / 4));
        lines.push(2, "if (row <= last_row && column <= last_column) {");
        let [x, y, z, w] = [0, 1, 2, 3].map(|at| format!("result_tile[quad * 4u + {at}u]"));
        let start = product.start_quad("column");
        lines.push(3, format!("let sum = {start} + vec4<f32>({x}, {y}, {z}, {w});"));
        lines.push(3, "store_quad(row, column, size.columns - column, sum);");
        lines.push(2, "}");
        lines.push(1, "}");
        // The next row of fragments takes the place of this one.
        if i + 1 < down {
            lines.push(1, "workgroupBarrier();");
        }
    }
    lines.push(0, "}");
    lines.0
}

#[cfg(test)]
mod tests {
    use super::super::{Along, Class, Kind, Operand, by_class};
    use super::*;
    use crate::backend::gpu::device::AdapterFacts;
    use crate::kernels::Kernel;

    fn facts() -> AdapterFacts {
        AdapterFacts {
            max_buffer_bytes: 1 << 30,
            max_binding_bytes: 1 << 30,
            workgroup_memory_bytes: 16384,
            max_invocations: 256,
            max_storage_buffers: 8,
            // As wgpu tells of Metal.
            subgroup_sizes: (4, 64),
            fixed_subgroup: Some(32),
            cooperative_matrices: vec![FRAGMENT],
            features: vec!["cooperative_matrix"],
        }
    }

    #[test]
    fn only_adapters_with_such_fragments_and_one_size_of_subgroups_run_them() {
        let lacking = |change: fn(&mut AdapterFacts)| {
            let mut facts = facts();
            change(&mut facts);
            facts
        };
        for tile in candidates(32) {
            assert!(tile.fits(&facts()), "{tile}");
            for facts in [
                lacking(|f| f.features.clear()),
                lacking(|f| f.cooperative_matrices.clear()),
                lacking(|f| f.cooperative_matrices[0].operands = "f16"),
                lacking(|f| f.cooperative_matrices[0].rows = 16),
                lacking(|f| f.fixed_subgroup = None),
                lacking(|f| f.fixed_subgroup = Some(8)),
                lacking(|f| f.workgroup_memory_bytes = 4096),
                lacking(|f| f.max_invocations = 32),
            ] {
                assert!(!tile.fits(&facts), "{tile} {facts:?}");
            }
        }
    }

    #[test]
    fn fragments_make_up_the_whole_tile() {
        for subgroup in SUBGROUPS {
            for tile in candidates(subgroup) {
                let Kind::Cooperative { fragments, .. } = tile.kind else { panic!("{tile}") };
                let [down, across] = subgroups(tile, fragments);
                assert_eq!(down * across * subgroup, tile.lanes(), "{tile}");
                let of_all = down * across * fragments[0] * fragments[1] * SIDE * SIDE;
                assert_eq!(of_all, tile.results().0 * tile.results().1, "{tile}");
                // Accumulators begin with a fragment of zeros.
                assert!(results(tile, fragments) >= SIDE * SIDE, "{tile}");
            }
        }
    }

    #[test]
    fn no_class_takes_one_untried() {
        let operand = Operand { buffer: "left", along: Along::Depth, quads: true, gathered: false };
        let classes = [0, 4, 8].map(|subgroup| Class::Software { subgroup });
        for class in classes.into_iter().chain([Class::Integrated, Class::Discrete]) {
            for rows in [1, 40, 4096] {
                for columns in [8, 16, 64, 4096] {
                    let kernel = Kernel::DenseForward;
                    let (a, b) = (operand, operand);
                    let product = Product {
                        kernel,
                        rows,
                        columns,
                        depth: 64,
                        members: 1,
                        a,
                        b,
                        quads: false,
                    };
                    let tile = by_class(class, &product);
                    assert!(!tile.to_string().starts_with("cooperative"), "{tile} {product:?}");
                }
            }
        }
    }
}
