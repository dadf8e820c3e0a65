// Mean over the outputs of e^2 / (2 beta) where |e| < beta, else |e| - beta / 2: huber(beta) / beta.

fn element_loss(z: f32, y: f32) -> f32 {
    let size = abs(z - y);
    let beta = loss_parameters.x;
    return select(size - 0.5 * beta, 0.5 * size * size / beta, size < beta);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    return clamp((z - y) / loss_parameters.x, -1.0, 1.0);
}
