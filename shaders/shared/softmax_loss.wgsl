// For losses of the softmax of the logits. A target is a class index, or a share for each class.

// The row's class, where targets are classes.
var<private> target_class: u32;

// Reads it, once for all of the row's classes: before the first share.
fn read_target(targets_at: u32) {
    if (call.targets != call.outputs) {
        target_class = u32(targets[targets_at]);
    }
}

// The share of a class, after label smoothing.
fn target_share(targets_at: u32, unit: u32) -> f32 {
    var share = 0.0;
    if (call.targets == call.outputs) {
        share = targets[targets_at + unit];
    } else {
        share = select(0.0, 1.0, unit == target_class);
    }
    return share * (1.0 - label_smoothing()) + label_smoothing() / f32(call.outputs);
}

// The largest logit, and the logarithm of the sum of the others' exponentials beside it.
fn log_sum_exp(logits_at: u32) -> vec2<f32> {
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
