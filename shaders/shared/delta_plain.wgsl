// For layers whose activation has a kernel of its own.

fn store(row: u32, column: u32, sum: f32) {
    let index = member * call.below_member_stride + row * call.inputs + column;
    delta_below[index] = sum + read_residual_gradient(index);
}
