// Mean over the outputs of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2, e = z - y.

fn element_loss(z: f32, y: f32) -> f32 {
    let size = abs(z - y);
    let delta = loss_parameters.x;
    return select(delta * size - 0.5 * delta * delta, 0.5 * size * size, size <= delta);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    return clamp(z - y, -loss_parameters.x, loss_parameters.x);
}
