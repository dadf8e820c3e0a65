// From logits: sum over the classes of alpha share (1 - p)^gamma (-log p), p the softmax of z; with
// label smoothing share (1 - s) + s / K.

fn label_smoothing() -> f32 {
    return loss_parameters.z;
}

fn log_probability(logits_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    return (logits[logits_at + unit] - context.x) - context.y;
}

// 1 - p, kept above 0: its powers below 1 have no derivative there.
fn miss(log_p: f32) -> f32 {
    return max(1.0 - exp(log_p), 1e-7);
}

// p times the derivative of a class's term by p.
fn pull(logits_at: u32, targets_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    let gamma = loss_parameters.x;
    let log_p = log_probability(logits_at, unit, context);
    let q = miss(log_p);
    let slope = gamma * pow(q, gamma - 1.0) * exp(log_p) * log_p - pow(q, gamma);
    return loss_parameters.y * target_share(targets_at, unit) * slope;
}

// The largest logit, the logarithm of the sum beside it, the sum of all pulls.
fn loss_context(logits_at: u32, targets_at: u32) -> vec4<f32> {
    read_target(targets_at);
    var context = vec4<f32>(log_sum_exp(logits_at), 0.0, 0.0);
    for (var unit = 0u; unit < call.outputs; unit++) {
        context.z += pull(logits_at, targets_at, unit, context);
    }
    return context;
}

fn loss(logits_at: u32, targets_at: u32, context: vec4<f32>) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        let share = target_share(targets_at, unit);
        if (share != 0.0) {
            let log_p = log_probability(logits_at, unit, context);
            sum -= share * pow(miss(log_p), loss_parameters.x) * log_p;
        }
    }
    return loss_parameters.y * sum;
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    let probability = exp(log_probability(logits_at, unit, context));
    return pull(logits_at, targets_at, unit, context) - probability * context.z;
}
