// Biases stepped by the tiles at their layer's edge, which sum what they have loaded.
// shared/four_biases_*.wgsl step them.

// Steps four biases, of which those past the last unit pad the others: their gradient is 0.
fn store_line_sums(unit: u32, sums: vec4<f32>) {
    if (unit >= layer.units) {
        return;
    }
    let units = vec4<u32>(unit, unit + 1u, unit + 2u, unit + 3u);
    let gradients = select(vec4<f32>(), sums, units < vec4<u32>(layer.units));
    let element = layer.bias_offset + unit;
    step_four(element, settings_of(member * call.parameter_stride + element), gradients);
}

// The tiles step them all: no share is left.
fn step_biases(group: u32, stride: u32, lane: u32, stopped: bool) -> u32 {
    return 0u;
}
