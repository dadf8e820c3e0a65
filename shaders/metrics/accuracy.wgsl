// 1 for a row whose class is predicted, else 0. One output: the class is 1 where the logit is
// above 0; several: the first of the largest. A distribution's class is the first of its largest.

fn metric_accuracy(logits_at: u32, targets_at: u32, unit: u32) -> f32 {
    if (call.outputs == 1u) {
        return select(0.0, 1.0, (logits[logits_at] > 0.0) == (targets[targets_at] == 1.0));
    }
    var best = 0u;
    var class_index = u32(targets[targets_at]);
    var likeliest = 0u;
    for (var i = 1u; i < call.outputs; i++) {
        if (logits[logits_at + i] > logits[logits_at + best]) {
            best = i;
        }
        if (call.targets == call.outputs && targets[targets_at + i] > targets[targets_at + likeliest]) {
            likeliest = i;
        }
    }
    if (call.targets == call.outputs) {
        class_index = likeliest;
    }
    return select(0.0, 1.0, best == class_index);
}
