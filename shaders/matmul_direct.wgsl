// Matrix product as a register tile straight from storage: no workgroup memory, no barrier.
// The tile for software adapters, where both cost more than they save.
//
// The operand file gives: problem, a_base, load_a, b_base, load_b, store.
// Rows and columns past the edge read the last one and are not stored.

fn tile(block: Block, lane: u32) {
    let size = problem();
    let row = block.row * TILE_ROWS + lane / DIRECT_COLUMNS * 4u;
    let column = block.column * TILE_COLUMNS + lane % DIRECT_COLUMNS * 4u;
    if (row >= size.rows || column >= size.columns) {
        return;
    }
    let last_row = size.rows - 1u;
    let last_column = size.columns - 1u;
    let a0 = a_base(row);
    let a1 = a_base(min(row + 1u, last_row));
    let a2 = a_base(min(row + 2u, last_row));
    let a3 = a_base(min(row + 3u, last_row));
    let c1 = min(column + 1u, last_column);
    let c2 = min(column + 2u, last_column);
    let c3 = min(column + 3u, last_column);
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var k = 0u; k < size.depth; k++) {
        let base = b_base(k);
        let b = vec4<f32>(load_b(base, column), load_b(base, c1), load_b(base, c2), load_b(base, c3));
        sum0 += load_a(a0, k) * b;
        sum1 += load_a(a1, k) * b;
        sum2 += load_a(a2, k) * b;
        sum3 += load_a(a3, k) * b;
    }
    store_rows(row, column, size.rows, size.columns, sum0, sum1, sum2, sum3);
}
