// A gradient stored in f16: one that overflows is told of by the step's number.

fn narrowed_gradient(x: f32) -> f16 {
    if (overflows_f16(x)) {
        let step = step_settings(scaled_member, call.members).step;
        atomicStore(&loss_scale[scaled_member].overflowed, step);
    }
    return narrowed(x);
}
