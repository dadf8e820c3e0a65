// Mean over the outputs of max(1 - s z, 0)^2, with s = -1 or 1 for the classes 0 and 1.

fn element_loss(z: f32, y: f32) -> f32 {
    let s = 2.0 * y - 1.0;
    let short = select(1.0 - s * z, 0.0, s * z > 1.0);
    return short * short;
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    let s = 2.0 * y - 1.0;
    return select(-2.0 * s * (1.0 - s * z), 0.0, s * z > 1.0);
}
