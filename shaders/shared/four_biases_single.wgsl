// Steps four biases of a layer one after the other.

fn step_four(element: u32, of_bias: BlockSettings, gradients: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        apply_step(
            member, call.parameter_stride, element + i, of_bias, gradients[i], true, settings
        );
    }
}
