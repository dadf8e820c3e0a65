// Where the kernel begins that ends a step of its own.

fn begin_scaled(workgroup: vec3<u32>, lane: u32) {
    scaled_member = workgroup.z;
    if (lane == 0u) {
        end_scaled_step(scaled_member, step_settings(scaled_member, call.members));
    }
}
