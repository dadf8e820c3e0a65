// Mean over the outputs of (log(1 + z) - log(1 + y))^2, where both are at least 1e-7.

fn element_loss(z: f32, y: f32) -> f32 {
    let apart = log1p(max(z, 1e-7)) - log1p(max(y, 1e-7));
    return select(apart * apart, z, z != z);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    let apart = log1p(max(z, 1e-7)) - log1p(max(y, 1e-7));
    return select(0.0, 2.0 * apart / (1.0 + z), z > 1e-7);
}
