// The gradient of learned slopes, a workgroup a slope: sums of delta min(x, 0) over the rows, and
// over the units that share one. Runs before layer_gradient. Twin: kernels::slope_gradient.

struct SlopeGradient {
    members: u32,
    units: u32,
    slopes: u32,
    member_stride: u32,
    parameter_stride: u32,
    slope_offset: u32,
    layer: u32,
    layer_stride: u32,
}

@group(0) @binding(0) var<uniform> call: SlopeGradient;
@group(0) @binding(6) var<storage, read> input: array<f32>;
@group(0) @binding(7) var<storage, read> delta: array<f32>;
@group(0) @binding(8) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let settings = step_settings(member, call.members);
    if (has_stopped(member)) {
        return;
    }
    let layer = layers[member * call.layer_stride + call.layer];
    let elements = settings.rows * call.units;
    for (var slope = workgroup.x; slope < call.slopes; slope += workgroups.x) {
        var sum = 0.0;
        for (var element = slope + lane * call.slopes; element < elements; element += LANES * call.slopes) {
            let at = member * call.member_stride + element;
            let scale = dropout_scale(layer, element, settings.batch);
            sum += delta[at] * scale * min(input[at], 0.0);
        }
        let total = sum_lanes(lane, sum);
        if (lane == 0u) {
            let at = member * call.parameter_stride + call.slope_offset + slope;
            gradients[at] = total + select(0.0, gradients[at], settings.accumulates == 1u);
        }
    }
}
