// One optimizer step over the flat parameter arena, four parameters an invocation. Decoupled decay
// comes off first; the gradient (with its L1 and L2 terms) is of the weights before it.
// The optimizer file gives opt_step and declares the moments it keeps.
// Twin: kernels::optimizer_step.

struct OptimizerStep {
    members: u32,
    quads: u32,                 // groups of 4 parameters a member
    penalties: u32,             // 1: the L1 and L2 terms are added here; 0: clip_gradients did
    spare0: u32,
}

// block_settings, two for each 64 parameters: l1, l2 (the coefficient of w in the gradient),
// weight-decay factor, learning-rate factor; then 1 where the gradient is the step itself, the clip
// group, the matrix among Muon's, unused.
@group(0) @binding(0) var<uniform> call: OptimizerStep;
@group(0) @binding(6) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> block_settings: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> parameters: array<vec4<f32>>;

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
    let block_setting = block_settings[at / 16u * 2u];
    let w = parameters[at];
    var g = gradients[at];
    if (call.penalties == 1u) {
        g += block_setting.x * sign(w) + block_setting.y * w;
    }
    let learning_rate = settings.learning_rate * block_setting.w;
    let decayed = w - learning_rate * settings.weight_decay * block_setting.z * w;
    var updated = decayed - learning_rate * g;
    if (block_settings[at / 16u * 2u + 1u].x == 0.0) {
        updated = opt_step(at, decayed, g, settings, learning_rate);
    }
    for (var i = 0u; i < 4u; i++) {
        if (!is_finite(g[i]) || !is_finite(updated[i])) {
            atomicMin(&state[member].bad_element, quad * 4u + i);
        }
    }
    parameters[at] = updated;
}
