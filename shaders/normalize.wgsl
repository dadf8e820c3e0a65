// Normalisation of a layer's sums before its activation: (x - mean) / sqrt(variance + epsilon),
// times a scale, plus a shift. An invocation takes a row, or a column (BY_COLUMN: statistics over
// the batch). The variant's file gives: BY_COLUMN, CENTERED, HAS_SHIFT. Twin: kernels::normalize.

struct Normalize {
    members: u32,
    units: u32,
    member_stride: u32,
    statistics_member_stride: u32,
    parameter_stride: u32,
    scale_offset: u32,
    shift_offset: u32,
    mean_offset: u32,
    variance_offset: u32,
    training: u32,
    unbiased: u32,
    epsilon: f32,
    rate: f32,
    spare0: u32,
    spare1: u32,
    spare2: u32,
}

@group(0) @binding(0) var<uniform> call: Normalize;
@group(0) @binding(6) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(7) var<storage, read> input: array<f32>;
@group(0) @binding(8) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(9) var<storage, read_write> output: array<f32>;

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
    let arena = member * call.parameter_stride;
    let count = select(call.units, settings.rows, BY_COLUMN);
    let stride = select(1u, call.units, BY_COLUMN);
    let first = member * call.member_stride + select(item * call.units, item, BY_COLUMN);
    var mean = 0.0;
    var variance = 0.0;
    if (BY_COLUMN && call.training == 0u) {
        mean = parameters[arena + call.mean_offset + item];
        variance = parameters[arena + call.variance_offset + item];
    } else {
        if (CENTERED) {
            for (var i = 0u; i < count; i++) {
                mean += input[first + i * stride];
            }
            mean /= f32(count);
        }
        for (var i = 0u; i < count; i++) {
            let apart = input[first + i * stride] - mean;
            variance += apart * apart;
        }
        variance /= f32(count);
        if (BY_COLUMN) {
            var spread = variance;
            if (call.unbiased == 1u && count > 1u) {
                spread = variance * f32(count) / (f32(count) - 1.0);
            }
            let mean_at = arena + call.mean_offset + item;
            let variance_at = arena + call.variance_offset + item;
            parameters[mean_at] += (mean - parameters[mean_at]) * call.rate;
            parameters[variance_at] += (spread - parameters[variance_at]) * call.rate;
        }
    }
    let factor = 1.0 / sqrt(variance + call.epsilon);
    statistics[(member * call.statistics_member_stride) / 2u + item] = vec2<f32>(mean, factor);
    for (var i = 0u; i < count; i++) {
        let unit = select(i, item, BY_COLUMN);
        let scale = parameters[arena + call.scale_offset + unit];
        var shift = 0.0;
        if (HAS_SHIFT) {
            shift = parameters[arena + call.shift_offset + unit];
        }
        output[first + i * stride] = (input[first + i * stride] - mean) * factor * scale + shift;
    }
}
