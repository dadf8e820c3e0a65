// The running average of the weights, four parameters an invocation. What is not trained (a
// learning-rate factor of 0) is copied. Twin: kernels::average_parameters.

struct AverageParameters {
    members: u32,
    quads: u32,
    spare0: u32,
    spare1: u32,
}

@group(0) @binding(0) var<uniform> call: AverageParameters;
@group(0) @binding(6) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> block_settings: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> average: array<vec4<f32>>;

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
    let trained = block_settings[at / 16u * 2u].w != 0.0;
    let w = parameters[at];
    let a = average[at];
    let copied = !trained || settings.average_rate == 1.0;
    average[at] = select(a + (w - a) * settings.average_rate, w, copied);
}
