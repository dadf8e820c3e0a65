// Matrix product through workgroup memory: a 64x64 tile by 256 invocations, 4x4 results each,
// 16 deep. The tile for real GPUs.
//
// The operand file gives: problem, a_base, load_a, b_base, load_b, store.

fn tile(block: Block, lane: u32) {
    let size = problem();
    let first_row = block.row * TILE;
    let first_column = block.column * TILE;
    if (first_row >= size.rows || first_column >= size.columns) {
        return;
    }
    let last_row = size.rows - 1u;
    let last_column = size.columns - 1u;
    let my_row = (lane / 16u) * 4u;
    let my_column = (lane % 16u) * 4u;
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var first = 0u; first < size.depth; first += DEPTH) {
        for (var i = lane; i < TILE * DEPTH; i += LANES) {
            let slice = i / DEPTH_OR_TILE_A;
            let within = i % DEPTH_OR_TILE_A;
            let k = first + select(slice, within, A_DEPTH_FIRST);
            let row = select(within, slice, A_DEPTH_FIRST);
            let a = load_a(a_base(min(first_row + row, last_row)), min(k, size.depth - 1u));
            a_tile[(k - first) * TILE + row] = select(0.0, a, k < size.depth);
        }
        for (var i = lane; i < TILE * DEPTH; i += LANES) {
            let slice = i / DEPTH_OR_TILE_B;
            let within = i % DEPTH_OR_TILE_B;
            let k = first + select(slice, within, B_DEPTH_FIRST);
            let column = select(within, slice, B_DEPTH_FIRST);
            let b = load_b(b_base(min(k, size.depth - 1u)), min(first_column + column, last_column));
            b_tile[(k - first) * TILE + column] = select(0.0, b, k < size.depth);
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let at_a = k * TILE + my_row;
            let at_b = k * TILE + my_column;
            let b = vec4<f32>(b_tile[at_b], b_tile[at_b + 1u], b_tile[at_b + 2u], b_tile[at_b + 3u]);
            sum0 += a_tile[at_a] * b;
            sum1 += a_tile[at_a + 1u] * b;
            sum2 += a_tile[at_a + 2u] * b;
            sum3 += a_tile[at_a + 3u] * b;
        }
        workgroupBarrier();
    }
    let row = first_row + my_row;
    let column = first_column + my_column;
    store_rows(row, column, size.rows, size.columns, sum0, sum1, sum2, sum3);
}
