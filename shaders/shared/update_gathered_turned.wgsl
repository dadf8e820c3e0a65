// Operands of an update's layer of few inputs, which is the data set's: turned, so that the results'
// rows are the inputs and its columns the units, of which there are more.

fn problem_gathered() -> Problem {
    return Problem(layer.inputs, layer.units, settings.rows);
}

fn a_line_gathered(k: u32) -> u32 {
    return input_row(member, call.order_stride, settings.first_row, part_start + k) * layer.inputs;
}

fn load_a_gathered(line: u32, row: u32) -> f32 {
    return features_value(line + row);
}

fn load_a_quad_gathered(line: u32, row: u32) -> vec4<f32> {
    return features_quad(line + row);
}

fn b_line_gathered(k: u32) -> u32 {
    return a_line_even(k);
}

fn load_b_gathered(line: u32, column: u32) -> f32 {
    return even_value(line + column);
}

fn load_b_quad_gathered(line: u32, column: u32) -> vec4<f32> {
    return even_quad(line + column);
}
