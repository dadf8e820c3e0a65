// Begins the gradients of embedded columns' tables: 0 where no batch before is added to; four
// gradients an invocation. Runs before embedding_gradient. Twin: kernels::zero_gradients.

struct ZeroGradients {
    members: u32,
    quads: u32,          // a member, from the arena's beginning
    member_stride: u32,  // in quads
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: ZeroGradients;
@group(0) @binding(6) var<storage, read_write> gradients: array<vec4<f32>>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let quad = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    if (quad >= call.quads || has_stopped(member)) {
        return;
    }
    let accumulates = step_settings(member, call.members).accumulates == 1u;
    let at = member * call.member_stride + quad;
    gradients[at] = select(vec4<f32>(), gradients[at], accumulates);
}
