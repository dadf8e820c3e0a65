// output = residual + dropout(act(input) + noise), of layers whose activation is not part of the
// matrix product; an element an invocation. Twin: kernels::layer_output.

struct LayerOutput {
    members: u32,
    units: u32,
    member_stride: u32,
    parameter_stride: u32,
    slope_offset: u32,
    slopes: u32,
    layer: u32,
    layer_stride: u32,
    training: u32,
    alpha: f32,
    beta: f32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: LayerOutput;
@group(0) @binding(6) var<storage, read> parameters: array<f32>;
@group(0) @binding(7) var<storage, read> input: array<f32>;
@group(0) @binding(9) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let element = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    if (has_stopped(member)) {
        return;
    }
    let settings = step_settings(member, call.members);
    if (element >= settings.rows * call.units) {
        return;
    }
    let layer = layers[member * call.layer_stride + call.layer];
    let at = member * call.member_stride + element;
    var y = act(input[at], act_parameters(member, element % call.units));
    if (call.training == 1u) {
        if (layer.noise > 0.0) {
            y += layer.noise * noise(layer, element, settings.batch);
        }
        let scale = dropout_scale(layer, element, settings.batch);
        y = select(y * scale + layer.keep_offset, layer.dropped, scale == 0.0);
    }
    output[at] = read_residual(at) + y;
}
