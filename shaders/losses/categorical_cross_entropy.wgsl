// From logits: sum over the classes of share (log sum_k exp(z_k) - z), about the largest z; with
// label smoothing share (1 - s) + s / K.

fn label_smoothing() -> f32 {
    return loss_parameters.x;
}

// The largest logit, the logarithm of the sum beside it, the sum of the shares.
fn loss_context(logits_at: u32, targets_at: u32) -> vec4<f32> {
    read_target(targets_at);
    var shares = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        shares += target_share(targets_at, unit);
    }
    return vec4<f32>(log_sum_exp(logits_at), shares, 0.0);
}

fn loss(logits_at: u32, targets_at: u32, context: vec4<f32>) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        let share = target_share(targets_at, unit);
        if (share != 0.0) {
            sum += share * ((context.x - logits[logits_at + unit]) + context.y);
        }
    }
    return sum;
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    let probability = exp((logits[logits_at + unit] - context.x) - context.y);
    return probability * context.z - target_share(targets_at, unit);
}
