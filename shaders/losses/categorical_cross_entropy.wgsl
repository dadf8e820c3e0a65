// From logits, with a class index as target: log sum_k exp(z_k) - z_class, about the largest z.

// The largest logit, and the logarithm of the sum of the others' exponentials beside it.
fn loss_context(logits_at: u32) -> vec2<f32> {
    var largest = logits[logits_at];
    for (var unit = 1u; unit < call.outputs; unit++) {
        largest = max(largest, logits[logits_at + unit]);
    }
    var sum = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        sum += exp(logits[logits_at + unit] - largest);
    }
    return vec2<f32>(largest, log(sum));
}

fn loss(logits_at: u32, targets_at: u32, context: vec2<f32>) -> f32 {
    return (context.x - logits[logits_at + u32(targets[targets_at])]) + context.y;
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec2<f32>) -> f32 {
    let probability = exp((logits[logits_at + unit] - context.x) - context.y);
    return select(probability, probability - 1.0, unit == u32(targets[targets_at]));
}
