// For layers whose input is added to their output.

@group(0) @binding(8) var<storage, read> residual: array<f32>;

fn read_residual(index: u32) -> f32 {
    return residual[index];
}
