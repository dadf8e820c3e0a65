// 100 times the mean over the outputs of |z - y| / max(|y|, 1e-7).

fn element_loss(z: f32, y: f32) -> f32 {
    return 100.0 * abs(z - y) / max(abs(y), 1e-7);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    return 100.0 * sign(z - y) / max(abs(y), 1e-7);
}
