// The gradient behind a normalisation, from that before its activation, in place; a row or a
// column an invocation. Twin: kernels::normalize_gradient.

struct NormalizeGradient {
    members: u32,
    units: u32,
    member_stride: u32,
    statistics_member_stride: u32,
    parameter_stride: u32,
    scale_offset: u32,
    shift_offset: u32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: NormalizeGradient;
@group(0) @binding(6) var<storage, read> parameters: array<f32>;
@group(0) @binding(7) var<storage, read> input: array<f32>;
@group(0) @binding(8) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(9) var<storage, read_write> delta: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    if (has_stopped(member)) {
        return;
    }
    let settings = step_settings(member, call.members);
    let item = workgroup.x * 64u + lane;
    if (item >= select(settings.rows, call.units, BY_COLUMN)) {
        return;
    }
    let scales = member * call.parameter_stride + call.scale_offset;
    let count = select(call.units, settings.rows, BY_COLUMN);
    let stride = select(1u, call.units, BY_COLUMN);
    let first = member * call.member_stride + select(item * call.units, item, BY_COLUMN);
    let kept = statistics[member * call.statistics_member_stride / 2u + item];
    var sums = vec2<f32>();
    for (var i = 0u; i < count; i++) {
        let at = first + i * stride;
        let d = delta[at] * parameters[scales + select(i, item, BY_COLUMN)];
        sums += vec2<f32>(d, d * (input[at] - kept.x) * kept.y);
    }
    sums /= f32(count);
    let plain = select(0.0, sums.x, CENTERED);
    for (var i = 0u; i < count; i++) {
        let at = first + i * stride;
        let d = delta[at] * parameters[scales + select(i, item, BY_COLUMN)];
        let hat = (input[at] - kept.x) * kept.y;
        delta[at] = kept.y * (d - plain - hat * sums.y);
    }
}
