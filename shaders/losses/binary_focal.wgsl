// From logits: mean over the outputs of w (1 - q)^gamma times the cross-entropy, q = y p + (1 - y)(1 - p)
// and w = alpha y + (1 - alpha)(1 - y), or 1 where alpha is 0; label smoothing y (1 - s) + s / 2.

struct Focal {
    probability: f32,
    miss: f32,       // 1 - q, kept above 0: its powers below 1 have no derivative there
    entropy: f32,
    weight: f32,
}

fn focal(z: f32, t: f32) -> Focal {
    let e = exp(-abs(z));
    let positive = select(e, 1.0, z >= 0.0) / (1.0 + e);
    let negative = select(1.0, e, z >= 0.0) / (1.0 + e);
    let miss = max(t * negative + (1.0 - t) * positive, 1e-30);
    let entropy = (1.0 - t) * z + select(0.0, -z, z < 0.0) + log1p(e);
    let alpha = loss_parameters.y;
    let weight = select(1.0, alpha * t + (1.0 - alpha) * (1.0 - t), alpha > 0.0);
    return Focal(positive, miss, entropy, weight);
}

fn element_loss(z: f32, y: f32) -> f32 {
    let t = y * (1.0 - loss_parameters.z) + 0.5 * loss_parameters.z;
    let f = focal(z, t);
    return f.weight * pow(f.miss, loss_parameters.x) * f.entropy;
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    let t = y * (1.0 - loss_parameters.z) + 0.5 * loss_parameters.z;
    let f = focal(z, t);
    let gamma = loss_parameters.x;
    var slope = pow(f.miss, gamma) * (f.probability - t);
    if (gamma > 0.0) {
        let along = (2.0 * t - 1.0) * f.probability * (1.0 - f.probability);
        slope -= gamma * pow(f.miss, gamma - 1.0) * along * f.entropy;
    }
    return f.weight * slope;
}
