// 4x4 results, as far as rows and columns go. Unrolled: an indexed vector would be spilled.

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

fn store_rows(
    row: u32, column: u32, rows: u32, columns: u32,
    sum0: vec4<f32>, sum1: vec4<f32>, sum2: vec4<f32>, sum3: vec4<f32>,
) {
    if (row < rows) {
        store_row(row, column, columns, sum0);
    }
    if (row + 1u < rows) {
        store_row(row + 1u, column, columns, sum1);
    }
    if (row + 2u < rows) {
        store_row(row + 2u, column, columns, sum2);
    }
    if (row + 3u < rows) {
        store_row(row + 3u, column, columns, sum3);
    }
}
