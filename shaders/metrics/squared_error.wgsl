// (prediction - target)^2 of one output, in the units of training.

fn metric_squared_error(logits_at: u32, targets_at: u32, unit: u32) -> f32 {
    let error = prediction(logits_at, unit) - targets[targets_at + unit];
    return error * error;
}
