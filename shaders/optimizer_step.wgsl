// One optimizer step over the flat parameter arena, four parameters an invocation:
// shared/apply_step.wgsl. Twin: kernels::optimizer_step.

struct OptimizerStep {
    members: u32,
    quads: u32,                 // groups of 4 parameters a member
    penalties: u32,             // 1: the L1 and L2 terms are added here; 0: clip_gradients did
    part_rows: u32,             // of each part that has a gradient of its own; 0: all rows are one
}

@group(0) @binding(0) var<uniform> call: OptimizerStep;
@group(0) @binding(6) var<storage, read> gradients: array<vec4<f32>>;

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
    var gradient = gradients[member * call.quads + quad];
    if (call.part_rows > 0u) {
        // Parts that have rows, in their order.
        let parts = (settings.rows + call.part_rows - 1u) / call.part_rows;
        for (var part = 1u; part < parts; part++) {
            gradient += gradients[(part * call.members + member) * call.quads + quad];
        }
    }
    let own = settings_of((member * call.quads + quad) * 4u);
    apply_step(member, call.quads * 4u, quad * 4u, own, gradient, call.penalties == 1u, settings);
    report_bad(member);
}
