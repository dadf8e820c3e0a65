// Loss, its gradient and the metrics' terms, a row an invocation.
// The loss file gives: loss_context, loss, loss_grad. The host generates write_metrics.
// Twin: kernels::loss.

struct Loss {
    members: u32,
    outputs: u32,
    targets: u32,               // values a row of `targets`: 1 for classes, else the outputs
    logits_member_stride: u32,  // of `logits` and `delta`
    order_stride: u32,
    statistics: u32,            // values a row of `row_statistics`
    statistics_member_stride: u32,
    training: u32,              // 1: write the gradient and stop at a loss that is not finite
}

@group(0) @binding(0) var<uniform> call: Loss;
@group(0) @binding(6) var<storage, read> logits: array<f32>;
@group(0) @binding(7) var<storage, read> targets: array<f32>;
@group(0) @binding(8) var<storage, read_write> delta: array<f32>;
@group(0) @binding(9) var<storage, read_write> row_statistics: array<f32>;

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
    let row = workgroup.x * 64u + lane;
    if (row >= settings.rows) {
        return;
    }
    let logits_at = member * call.logits_member_stride + row * call.outputs;
    let targets_at = input_row(member, call.order_stride, settings.first_row, row) * call.targets;
    let statistics_at = member * call.statistics_member_stride + row * call.statistics;

    let context = loss_context(logits_at);
    let value = loss(logits_at, targets_at, context);
    row_statistics[statistics_at] = value;
    write_metrics(statistics_at, logits_at, targets_at);
    if (call.training == 1u) {
        if (!is_finite(value)) {
            atomicMin(&state[member].bad_step, settings.step);
        }
        let share = 1.0 / f32(settings.rows);
        for (var unit = 0u; unit < call.outputs; unit++) {
            delta[logits_at + unit] = loss_grad(logits_at, targets_at, unit, context) * share;
        }
    }
}
