// For layers without a residual connection.

fn keep_residual_gradient(index: u32, d: f32) {}
