// Operands of an update's layer whose input and gradient lie in `even`.

fn a_base_even(row: u32) -> u32 {
    return layer.delta_offset + member * call.batch_rows * layer.units + row;
}

fn load_a_even(base: u32, k: u32) -> f32 {
    return even[base + k * layer.units];
}

fn b_base_even(k: u32) -> u32 {
    return layer.input_offset + (member * call.batch_rows + k) * layer.inputs;
}

fn load_b_even(base: u32, column: u32) -> f32 {
    return even[base + column];
}
