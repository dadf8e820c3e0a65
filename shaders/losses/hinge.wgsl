// Mean over the outputs of max(1 - s z, 0), with s = -1 or 1 for the classes 0 and 1.

fn element_loss(z: f32, y: f32) -> f32 {
    let s = 2.0 * y - 1.0;
    return select(1.0 - s * z, 0.0, s * z > 1.0);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    let s = 2.0 * y - 1.0;
    return select(-s, 0.0, s * z >= 1.0);
}
