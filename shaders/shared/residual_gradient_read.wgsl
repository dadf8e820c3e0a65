// For layers whose input is added to their output: the gradient that went round them.

@group(0) @binding(8) var<storage, read> residual_gradient: array<Reals>;

fn read_residual_gradient(at: u32) -> Reals {
    return residual_gradient[at];
}
