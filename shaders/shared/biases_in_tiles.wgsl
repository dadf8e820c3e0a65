// Biases stepped by the tiles at their layer's edge, which sum what they have loaded.

// Steps four biases, of which those past the last unit pad the others: their gradient is 0.
fn store_line_sums(unit: u32, sums: vec4<f32>) {
    if (unit >= layer.units) {
        return;
    }
    let of_bias = settings_of(member * call.parameter_stride + layer.bias_offset);
    for (var i = 0u; i < 4u; i++) {
        let element = layer.bias_offset + unit + i;
        let gradient = select(0.0, sums[i], unit + i < layer.units);
        apply_step(member, call.parameter_stride, element, of_bias, gradient, true, settings);
    }
}

fn step_biases(group: u32, stride: u32, lane: u32, stopped: bool) -> u32 {
    return 0u;
}
