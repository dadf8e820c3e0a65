// Operands of an update's layer whose input is the data set's, and whose gradient lies in `even`.

fn a_base_gathered(row: u32) -> u32 {
    return a_base_even(row);
}

fn load_a_gathered(base: u32, k: u32) -> f32 {
    return load_a_even(base, k);
}

fn b_base_gathered(k: u32) -> u32 {
    return input_row(member, call.order_stride, settings.first_row, k) * layer.inputs;
}

fn load_b_gathered(base: u32, column: u32) -> f32 {
    return features[base + column];
}
