// For layers whose input is added to their output: the gradient that went round them.

@group(0) @binding(8) var<storage, read> residual_gradient: array<f32>;

fn read_residual_gradient(index: u32) -> f32 {
    return residual_gradient[index];
}
