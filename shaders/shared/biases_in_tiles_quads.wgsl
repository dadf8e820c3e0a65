// Biases stepped by the tiles at their layer's edge, four at once.

// Steps four biases, of which those past the last unit pad the others: their gradient is 0.
fn store_line_sums(unit: u32, sums: vec4<f32>) {
    if (unit >= layer.units) {
        return;
    }
    let element = layer.bias_offset + unit;
    let of_bias = settings_of(member * call.parameter_stride + element);
    let units = vec4<u32>(unit, unit + 1u, unit + 2u, unit + 3u);
    let gradient = select(vec4<f32>(), sums, units < vec4<u32>(layer.units));
    apply_step(member, call.parameter_stride, element, of_bias, gradient, true, settings);
}

fn step_biases(group: u32, stride: u32, lane: u32, stopped: bool) -> u32 {
    return 0u;
}
