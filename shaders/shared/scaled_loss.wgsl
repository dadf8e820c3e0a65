// Where the loss begins: from here on the step has the scale that comes next. No kernel reads what it
// writes.

fn begin_scaled(workgroup: vec3<u32>, lane: u32) {
    scaled_member = workgroup.z;
    if (workgroup.x == 0u && lane == 0u) {
        loss_scale[scaled_member].backward = loss_scale[scaled_member].scale;
    }
}

fn narrowed_loss_gradient(x: f32) -> f16 {
    return narrowed_gradient(x * loss_scale[scaled_member].scale);
}
