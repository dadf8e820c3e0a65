// Stores four neighbouring results of a row, of which `count` (4 or more: all) are there.

fn store_quad(row: u32, column: u32, count: u32, sums: vec4<f32>) {
    store(row, column, sums.x);
    if (count > 1u) {
        store(row, column + 1u, sums.y);
    }
    if (count > 2u) {
        store(row, column + 2u, sums.z);
    }
    if (count > 3u) {
        store(row, column + 3u, sums.w);
    }
}
