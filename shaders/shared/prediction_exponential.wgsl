// A prediction is the exponential of an output.

fn prediction(logits_at: u32, unit: u32) -> f32 {
    return exp(logits[logits_at + unit]);
}
