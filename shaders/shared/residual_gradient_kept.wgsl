// For layers whose input is added to their output: the gradient goes round them too.

@group(0) @binding(8) var<storage, read_write> residual_gradient: array<f32>;

fn keep_residual_gradient(index: u32, d: f32) {
    residual_gradient[index] = d;
}
