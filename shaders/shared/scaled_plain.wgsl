// Where a kernel between the loss and the end of the step begins.

fn begin_scaled(workgroup: vec3<u32>, lane: u32) {
    scaled_member = workgroup.z;
}
