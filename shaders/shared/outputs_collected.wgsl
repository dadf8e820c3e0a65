// For metrics that need the outputs of every row.

@group(0) @binding(10) var<storage, read_write> collected: array<f32>;

fn collect(at: u32, logits_at: u32) {
    for (var unit = 0u; unit < call.outputs; unit++) {
        collected[at + unit] = logits[logits_at + unit];
    }
}
