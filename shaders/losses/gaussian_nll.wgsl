// Negative log-likelihood of a normal distribution: the first half of the outputs are means m, the
// second half logarithms s of variances v = max(exp(s), 1e-6). Mean over the targets of
// (log v + (m - y)^2 / v) / 2.

fn loss_context(logits_at: u32, targets_at: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn loss(logits_at: u32, targets_at: u32, context: vec4<f32>) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < call.targets; unit++) {
        let e = logits[logits_at + unit] - targets[targets_at + unit];
        let s = logits[logits_at + call.targets + unit];
        let floored = select(s, -13.815510557964274, s < -13.815510557964274);
        sum += 0.5 * (floored + e * e * exp(-floored));
    }
    return sum / f32(call.targets);
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    let target_unit = unit % call.targets;
    let e = logits[logits_at + target_unit] - targets[targets_at + target_unit];
    let s = logits[logits_at + call.targets + target_unit];
    let variance = max(exp(s), 1e-6);
    var slope = e / variance;
    if (unit >= call.targets) {
        // As in PyTorch, the gradient passes the floor of the variance.
        slope = 0.5 * (1.0 - e * e / variance) * (exp(s) / variance);
    }
    return slope / f32(call.targets);
}
