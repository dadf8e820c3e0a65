// Per block of 64 parameters: the sum of squared gradients (L1 and L2 terms included) and the
// regularisation penalty. Runs before optimizer_step, when steps are logged or regularised.
// Twin: kernels::gradient_statistics.

struct GradientStatistics {
    members: u32,
    blocks: u32,                // blocks of 64 parameters a member
    spare0: u32,
    spare1: u32,
}

// block_settings: see optimizer_step.
@group(0) @binding(0) var<uniform> call: GradientStatistics;
@group(0) @binding(6) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> block_settings: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> partials: array<vec2<f32>>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let block = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    if (block >= call.blocks || has_stopped(member)) {
        return;
    }
    let at = member * call.blocks + block;
    let block_setting = block_settings[at * 2u];
    var squares = 0.0;
    var penalty = 0.0;
    for (var i = at * 16u; i < at * 16u + 16u; i++) {
        let w = parameters[i];
        let g = gradients[i] + block_setting.x * sign(w) + block_setting.y * w;
        squares += dot(g, g);
        penalty += block_setting.x * dot(abs(w), vec4<f32>(1.0)) + 0.5 * block_setting.y * dot(w, w);
    }
    partials[at] = vec2<f32>(squares, penalty);
}
