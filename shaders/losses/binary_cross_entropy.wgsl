// From logits: mean over the outputs of max(z, 0) - z y + log(1 + exp(-|z|)).

fn loss_context(logits_at: u32) -> vec2<f32> {
    return vec2<f32>();
}

fn loss(logits_at: u32, targets_at: u32, context: vec2<f32>) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        let z = logits[logits_at + unit];
        // NaN must stay NaN: max(NaN, 0) need not.
        sum += select(z, 0.0, z < 0.0) - z * targets[targets_at + unit] + log1p(exp(-abs(z)));
    }
    return sum / f32(call.outputs);
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec2<f32>) -> f32 {
    let z = logits[logits_at + unit];
    let e = exp(-abs(z));
    let probability = select(e, 1.0, z >= 0.0) / (1.0 + e);
    return (probability - targets[targets_at + unit]) / f32(call.outputs);
}
