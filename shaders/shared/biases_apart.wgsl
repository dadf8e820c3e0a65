// Biases stepped apart from the tiles, by loads of their own. The host writes find_bias, which sets the
// layer and takes off the biases before its own.

// Steps a bias, or what pads them, counted over all layers; and those after it that are stepped at
// once.
fn step_bias(bias: u32) {
    var unit = bias;
    find_bias(&unit);
    let element = layer.bias_offset + unit;
    let of_bias = settings_of(member * call.parameter_stride + element);
    apply_step(
        member, call.parameter_stride, element, of_bias, bias_gradient(unit), true, settings
    );
}

// Steps a workgroup's share of the biases; returns the number of shares.
fn step_biases(group: u32, stride: u32, lane: u32, stopped: bool) -> u32 {
    let chunk = LANES * REALS;
    for (var bias = (group * LANES + lane) * REALS; bias < call.biases; bias += stride * chunk) {
        if (!stopped) {
            step_bias(bias);
        }
    }
    return (call.biases + chunk - 1u) / chunk;
}
