// Steps four biases of a layer at once.

fn step_four(element: u32, of_bias: BlockSettings, gradients: vec4<f32>) {
    apply_step(member, call.parameter_stride, element, of_bias, gradients, true, settings);
}
