// Stores four neighbouring units' gradients of one input, of which `count` (4 or more: all) are there.

fn store_quad_gathered(row: u32, column: u32, count: u32, sums: vec4<f32>) {
    for (var i = 0u; i < min(count, 4u); i++) {
        store(column + i, row, sums[i]);
    }
}
