// Clips the gradient, its L1 and L2 terms included, four parameters an invocation.
// Twin: kernels::clip_gradients.

struct ClipGradients {
    members: u32,
    quads: u32,
    groups: u32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: ClipGradients;
@group(0) @binding(6) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> block_settings: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> factors: array<f32>;
@group(0) @binding(9) var<storage, read_write> gradients: array<vec4<f32>>;

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
    let settings = step_settings(member, call.members);
    if (settings.updates == 0u) {
        return;
    }
    let at = member * call.quads + quad;
    let block = at / 16u * 2u;
    let penalties = block_settings[block];
    let w = parameters[at];
    let g = gradients[at] + penalties.x * sign(w) + penalties.y * w;
    if (call.groups == 0u) {
        // A number that is not finite must be seen, not clipped.
        let clipped = clamp(g, vec4<f32>(-settings.clip), vec4<f32>(settings.clip));
        let finite = vec4<bool>(is_finite(g.x), is_finite(g.y), is_finite(g.z), is_finite(g.w));
        gradients[at] = select(g, clipped, finite);
    } else {
        let group = u32(block_settings[block + 1u].y);
        gradients[at] = g * factors[member * call.groups + group];
    }
}
