// 1 for a row whose class is predicted, else 0. One output: the class is 1 where the logit is
// above 0; several: the first of the largest.

fn metric_accuracy(logits_at: u32, targets_at: u32, unit: u32) -> f32 {
    let class_index = u32(targets[targets_at]);
    if (call.outputs == 1u) {
        return select(0.0, 1.0, select(0u, 1u, logits[logits_at] > 0.0) == class_index);
    }
    var best = 0u;
    for (var i = 1u; i < call.outputs; i++) {
        if (logits[logits_at + i] > logits[logits_at + best]) {
            best = i;
        }
    }
    return select(0.0, 1.0, best == class_index);
}
