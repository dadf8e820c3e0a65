// -log of the probability given to the row's class, from logits; of a distribution the mean.

fn metric_log_loss(logits_at: u32, targets_at: u32, unit: u32) -> f32 {
    if (call.outputs == 1u) {
        let z = logits[logits_at];
        return max(z, 0.0) - z * targets[targets_at] + log1p(exp(-abs(z)));
    }
    var largest = logits[logits_at];
    for (var i = 1u; i < call.outputs; i++) {
        largest = max(largest, logits[logits_at + i]);
    }
    var sum = 0.0;
    for (var i = 0u; i < call.outputs; i++) {
        sum += exp(logits[logits_at + i] - largest);
    }
    if (call.targets == 1u) {
        return (largest - logits[logits_at + u32(targets[targets_at])]) + log(sum);
    }
    var mean = 0.0;
    for (var i = 0u; i < call.outputs; i++) {
        mean += targets[targets_at + i] * ((largest - logits[logits_at + i]) + log(sum));
    }
    return mean;
}
