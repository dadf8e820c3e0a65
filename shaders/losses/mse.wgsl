// Mean over the outputs of (output - target)^2.

fn loss_context(logits_at: u32) -> vec2<f32> {
    return vec2<f32>();
}

fn loss(logits_at: u32, targets_at: u32, context: vec2<f32>) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        let error = logits[logits_at + unit] - targets[targets_at + unit];
        sum += error * error;
    }
    return sum / f32(call.outputs);
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec2<f32>) -> f32 {
    return 2.0 * (logits[logits_at + unit] - targets[targets_at + unit]) / f32(call.outputs);
}
