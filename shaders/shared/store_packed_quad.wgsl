// Stores a quad of the gradients of four units, whose weights lie one behind the other from the first
// of `unit` on.

fn store_quad_gathered(quad: u32, unit: u32, count: u32, sums: vec4<f32>) {
    let element = layer.weight_offset + unit * layer.inputs + quad * 4u;
    apply_step(member, call.parameter_stride, element, own, sums, true, settings);
}
