// The max-norm constraint on each unit's weights, a workgroup a unit. Twin: kernels::max_norm.

struct MaxNorm {
    members: u32,
    inputs: u32,
    units: u32,
    parameter_stride: u32,
    weight_offset: u32,
    keras: u32,
    maximum: f32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: MaxNorm;
@group(0) @binding(6) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let settings = step_settings(member, call.members);
    if (settings.updates == 0u || has_stopped(member)) {
        return;
    }
    let arena = member * call.parameter_stride + call.weight_offset;
    for (var unit = workgroup.x; unit < call.units; unit += workgroups.x) {
        let first = arena + unit * call.inputs;
        var squares = 0.0;
        for (var i = lane; i < call.inputs; i += LANES) {
            let w = parameters[first + i];
            squares += w * w;
        }
        let norm = sqrt(sum_lanes(lane, squares));
        if (call.keras == 1u || norm > call.maximum) {
            let factor = min(norm, call.maximum) / (norm + 1e-7);
            for (var i = lane; i < call.inputs; i += LANES) {
                parameters[first + i] *= factor;
            }
        }
    }
}
