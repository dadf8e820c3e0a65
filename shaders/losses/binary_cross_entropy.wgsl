// From logits: mean over the outputs of (1 - y) z + (1 + (pos_weight - 1) y) log(1 + exp(-z)), with
// label smoothing y (1 - s) + s / 2.

fn element_loss(z: f32, y: f32) -> f32 {
    let t = y * (1.0 - loss_parameters.y) + 0.5 * loss_parameters.y;
    let weight = 1.0 + (loss_parameters.x - 1.0) * t;
    // log(1 + exp(-z)), without overflow; NaN must stay NaN: max(NaN, 0) need not.
    let tail = log1p(exp(-abs(z)));
    return (1.0 - t) * z + weight * (select(0.0, -z, z < 0.0) + tail);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    let t = y * (1.0 - loss_parameters.y) + 0.5 * loss_parameters.y;
    let weight = 1.0 + (loss_parameters.x - 1.0) * t;
    let e = exp(-abs(z));
    // sigmoid(z) and sigmoid(-z), each without cancellation.
    let positive = select(e, 1.0, z >= 0.0) / (1.0 + e);
    let negative = select(1.0, e, z >= 0.0) / (1.0 + e);
    return (1.0 - t) * positive + (1.0 - t - weight) * negative;
}
