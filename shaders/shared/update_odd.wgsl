// Operands of an update's layer whose input and gradient lie in `odd`.

fn a_line_odd(k: u32) -> u32 {
    return layer.delta_offset + (member * call.batch_rows + part_start + k) * layer.units;
}

fn load_a_odd(line: u32, row: u32) -> f32 {
    return odd_value(line + row);
}

fn load_a_quad_odd(line: u32, row: u32) -> vec4<f32> {
    return odd_quad(line + row);
}

fn b_line_odd(k: u32) -> u32 {
    return layer.input_offset + (member * call.batch_rows + part_start + k) * layer.inputs;
}

fn load_b_odd(line: u32, column: u32) -> f32 {
    return odd_value(line + column);
}

fn load_b_quad_odd(line: u32, column: u32) -> vec4<f32> {
    return odd_quad(line + column);
}
