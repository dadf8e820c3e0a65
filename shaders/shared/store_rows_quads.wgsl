// 4x4 results, as far as rows and columns go, where columns are a multiple of 4.

fn store_rows(
    row: u32, column: u32, rows: u32, columns: u32,
    sum0: vec4<f32>, sum1: vec4<f32>, sum2: vec4<f32>, sum3: vec4<f32>,
) {
    if (column < columns) {
        if (row < rows) {
            store(row, column, sum0);
        }
        if (row + 1u < rows) {
            store(row + 1u, column, sum1);
        }
        if (row + 2u < rows) {
            store(row + 2u, column, sum2);
        }
        if (row + 3u < rows) {
            store(row + 3u, column, sum3);
        }
    }
}
