// A prediction is an output.

fn prediction(logits_at: u32, unit: u32) -> f32 {
    return logits[logits_at + unit];
}
