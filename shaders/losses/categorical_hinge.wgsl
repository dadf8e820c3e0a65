// max(1 + the largest output of another class - the class's own output, 0).

// The largest (1 - share) z, where it is, the sum of share z, 1 where the loss is above 0.
fn loss_context(logits_at: u32, targets_at: u32) -> vec4<f32> {
    read_target(targets_at);
    var largest = 0.0;
    var at = 0u;
    var own = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        let z = logits[logits_at + unit];
        let share = target_share(targets_at, unit);
        let other = (1.0 - share) * z;
        if (unit == 0u || other > largest) {
            largest = other;
            at = unit;
        }
        own += share * z;
    }
    return vec4<f32>(largest, f32(at), own, select(1.0, 0.0, largest - own + 1.0 <= 0.0));
}

fn label_smoothing() -> f32 {
    return 0.0;
}

fn loss(logits_at: u32, targets_at: u32, context: vec4<f32>) -> f32 {
    return select(context.x - context.z + 1.0, 0.0, context.w == 0.0);
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    let share = target_share(targets_at, unit);
    let away = select(0.0, 1.0 - share, unit == u32(context.y));
    return context.w * (away - share);
}
