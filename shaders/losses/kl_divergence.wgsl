// From logits: sum over the classes of share (log share - log p), p the softmax of z; shares and
// probabilities below the epsilon are raised to it.

fn label_smoothing() -> f32 {
    return 0.0;
}

fn raised_share(targets_at: u32, unit: u32) -> f32 {
    return clamp(target_share(targets_at, unit), loss_parameters.x, 1.0);
}

fn log_probability(logits_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    return (logits[logits_at + unit] - context.x) - context.y;
}

fn moves(log_p: f32) -> bool {
    return exp(log_p) >= loss_parameters.x;
}

// The largest logit, the logarithm of the sum beside it, the sum of the shares that pull.
fn loss_context(logits_at: u32, targets_at: u32) -> vec4<f32> {
    read_target(targets_at);
    var context = vec4<f32>(log_sum_exp(logits_at), 0.0, 0.0);
    for (var unit = 0u; unit < call.outputs; unit++) {
        if (moves(log_probability(logits_at, unit, context))) {
            context.z += raised_share(targets_at, unit);
        }
    }
    return context;
}

fn loss(logits_at: u32, targets_at: u32, context: vec4<f32>) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        let share = raised_share(targets_at, unit);
        if (share > 0.0) {
            var log_p = log_probability(logits_at, unit, context);
            if (!moves(log_p)) {
                log_p = log(loss_parameters.x);
            }
            sum += share * (log(share) - log_p);
        }
    }
    return sum;
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    let log_p = log_probability(logits_at, unit, context);
    let own = select(0.0, raised_share(targets_at, unit), moves(log_p));
    return exp(log_p) * context.z - own;
}
