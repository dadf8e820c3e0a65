// Gradients of a normalisation's scale and shift, a unit an invocation: column sums of delta x^
// and of delta. Twin: kernels::scale_gradient.

struct ScaleGradient {
    members: u32,
    units: u32,
    member_stride: u32,
    statistics_member_stride: u32,
    parameter_stride: u32,
    scale_offset: u32,
    shift_offset: u32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: ScaleGradient;
@group(0) @binding(6) var<storage, read> input: array<f32>;
@group(0) @binding(7) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read> delta: array<f32>;
@group(0) @binding(9) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let unit = workgroup.x * 64u + lane;
    if (unit >= call.units || has_stopped(member)) {
        return;
    }
    let settings = step_settings(member, call.members);
    let arena = member * call.parameter_stride;
    var sums = vec2<f32>();
    for (var row = 0u; row < settings.rows; row++) {
        let at = member * call.member_stride + row * call.units + unit;
        let item = member * call.statistics_member_stride / 2u + select(row, unit, BY_COLUMN);
        let kept = statistics[item];
        let d = delta[at];
        sums += vec2<f32>(d * (input[at] - kept.x) * kept.y, d);
    }
    let scale = arena + call.scale_offset + unit;
    gradients[scale] = sums.x + select(0.0, gradients[scale], settings.accumulates == 1u);
    if (HAS_SHIFT) {
        let shift = arena + call.shift_offset + unit;
        gradients[shift] = sums.y + select(0.0, gradients[shift], settings.accumulates == 1u);
    }
}
