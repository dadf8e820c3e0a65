// For layers whose activation has a kernel of its own.

fn begin_store(which: u32) {}

fn store(row: u32, column: u32, sum: Reals) {
    let at = (member * call.below_member_stride + row * call.inputs + column) / REALS;
    delta_below[at] = sum + read_residual_gradient(at);
}
