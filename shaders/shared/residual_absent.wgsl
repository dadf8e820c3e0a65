// For layers without a residual connection.

fn read_residual(index: u32) -> f32 {
    return 0.0;
}
