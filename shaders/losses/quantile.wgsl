// Mean over the outputs of the pinball loss: tau e where e = y - z is positive, else (tau - 1) e.

fn element_loss(z: f32, y: f32) -> f32 {
    let e = y - z;
    return select((loss_parameters.x - 1.0) * e, loss_parameters.x * e, e > 0.0);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    let below = select(1.0 - loss_parameters.x, -loss_parameters.x, y > z);
    return select(below, 0.0, y == z);
}
