// Four results of one row, as far as the row goes. Unrolled: an indexed vector would be spilled.

fn store_row(row: u32, column: u32, columns: u32, sums: vec4<f32>) {
    if (column < columns) {
        store(row, column, sums.x);
    }
    if (column + 1u < columns) {
        store(row, column + 1u, sums.y);
    }
    if (column + 2u < columns) {
        store(row, column + 2u, sums.z);
    }
    if (column + 3u < columns) {
        store(row, column + 3u, sums.w);
    }
}
