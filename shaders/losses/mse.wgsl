// Mean over the outputs of (z - y)^2. (scikit-learn trains on half of it.)

fn element_loss(z: f32, y: f32) -> f32 {
    return (z - y) * (z - y);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    return 2.0 * (z - y);
}
