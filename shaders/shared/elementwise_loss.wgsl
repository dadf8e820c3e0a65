// Losses that are a mean over the outputs: the loss file gives element_loss and element_loss_grad.

fn loss_context(logits_at: u32, targets_at: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn loss(logits_at: u32, targets_at: u32, context: vec4<f32>) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < call.outputs; unit++) {
        sum += element_loss(logits[logits_at + unit], targets[targets_at + unit]);
    }
    return sum / f32(call.outputs);
}

fn loss_grad(logits_at: u32, targets_at: u32, unit: u32, context: vec4<f32>) -> f32 {
    let slope = element_loss_grad(logits[logits_at + unit], targets[targets_at + unit]);
    return slope / f32(call.outputs);
}
