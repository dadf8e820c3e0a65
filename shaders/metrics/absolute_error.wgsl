// |prediction - target| of one output, in the units of training.

fn metric_absolute_error(logits_at: u32, targets_at: u32, unit: u32) -> f32 {
    return abs(prediction(logits_at, unit) - targets[targets_at + unit]);
}
