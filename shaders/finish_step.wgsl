// Sums the batch's row statistics in a fixed order into the step's row of the log, and moves
// the member on to its next step. One workgroup a member.
// Twin: kernels::finish_step.

struct FinishStep {
    members: u32,
    statistics: u32,            // values a row of `row_statistics`
    statistics_member_stride: u32,
    partials: u32,              // pairs a member of `partials`; 0: none are kept
    log_width: u32,             // values a step and member of `step_log`
    spare0: u32,
    spare1: u32,
    spare2: u32,
}

@group(0) @binding(0) var<uniform> call: FinishStep;
@group(0) @binding(6) var<storage, read> row_statistics: array<f32>;
@group(0) @binding(7) var<storage, read> partials: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> step_log: array<f32>;

const LANES = 64u;

var<workgroup> sums: array<vec2<f32>, 64>;

// The sum of all lanes' values, at lane 0, as a tree of fixed shape.
fn sum_lanes(lane: u32, value: vec2<f32>) -> vec2<f32> {
    workgroupBarrier();
    sums[lane] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    return sums[0];
}

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let cursor = state[member].cursor;
    let settings = step_settings(member, call.members);
    let log_at = (cursor * call.members + member) * call.log_width;
    for (var statistic = 0u; statistic < call.statistics; statistic++) {
        var sum = 0.0;
        for (var row = lane; row < settings.rows; row += LANES) {
            sum += row_statistics[member * call.statistics_member_stride + row * call.statistics + statistic];
        }
        let total = sum_lanes(lane, vec2<f32>(sum, 0.0));
        if (lane == 0u) {
            step_log[log_at + statistic] = total.x;
        }
    }
    if (call.partials > 0u) {
        var sum = vec2<f32>();
        for (var i = lane; i < call.partials; i += LANES) {
            sum += partials[member * call.partials + i];
        }
        let total = sum_lanes(lane, sum);
        if (lane == 0u) {
            step_log[log_at + call.statistics] = total.x;
            step_log[log_at + call.statistics + 1u] = total.y;
        }
    }
    if (lane == 0u) {
        // A step whose gradient or update was not finite is the member's last.
        if (bad_step(member) == 0xffffffffu) {
            if (bad_element(member) != 0xffffffffu) {
                atomicStore(&state[member].bad_step, settings.step);
            } else {
                state[member].cursor = cursor + 1u;
            }
        }
    }
}
