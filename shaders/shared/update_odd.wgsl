// Operands of an update's layer whose input and gradient lie in `odd`.

fn a_base_odd(row: u32) -> u32 {
    return layer.delta_offset + member * call.batch_rows * layer.units + row;
}

fn load_a_odd(base: u32, k: u32) -> f32 {
    return odd[base + k * layer.units];
}

fn b_base_odd(k: u32) -> u32 {
    return layer.input_offset + (member * call.batch_rows + k) * layer.inputs;
}

fn load_b_odd(base: u32, column: u32) -> f32 {
    return odd[base + column];
}
