// Stores four neighbouring results of a row whose length is a multiple of four.

fn store_quad(row: u32, column: u32, count: u32, sums: vec4<f32>) {
    store(row, column, sums);
}
