// Loss, its gradient and the metrics' terms, a row an invocation.
// The loss file gives: loss_context, loss, loss_grad. The host generates write_metrics, and ROWS, the
// rows of a workgroup.
// Twin: kernels::loss.

struct Loss {
    members: u32,
    outputs: u32,
    targets: u32,               // values a row of `targets`: 1 for classes, else one an output
    target_stride: u32,         // elements between rows of `targets`
    logits_member_stride: u32,  // of `logits` and `delta`
    order_stride: u32,
    statistics: u32,            // values a row of `row_statistics`
    statistics_member_stride: u32,
    training: u32,              // 1: write the gradient and stop at a loss that is not finite
    weighted: u32,              // 1: a row's weight stands behind its targets
    collected_member_stride: u32,
    parameter0: f32,            // the loss's parameters, where all members have the same
    parameter1: f32,
    parameter2: f32,
    by_member: u32,             // 1: each member's are in the table of steps
    spare1: u32,
}

@group(0) @binding(0) var<uniform> call: Loss;
@group(0) @binding(6) var<storage, read> logits: array<f32>;
@group(0) @binding(7) var<storage, read> targets: array<f32>;
@group(0) @binding(8) var<storage, read_write> delta: array<f32>;
@group(0) @binding(9) var<storage, read_write> row_statistics: array<f32>;

// The member's parameters of the loss.
var<private> loss_parameters: vec3<f32>;

// Puts a member whose last update was not finite back to the step of that update.
fn settle(member: u32) {
    if (bad_step(member) == 0xffffffffu) {
        let row = state[member].backward;
        atomicStore(&state[member].bad_step, steps[row * call.members + member].step);
        state[member].cursor = row;
    }
}

@compute @workgroup_size(ROWS, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let row = workgroup.x * ROWS + lane;
    if (bad_element(member) != 0xffffffffu) {
        if (row == 0u && call.training == 1u) {
            settle(member);
        }
        return;
    }
    let settings = step_settings(member, call.members);
    // A row of this very step may have said that it is the last: the others are worked out all the
    // same, in whatever order they come.
    let bad = bad_step(member);
    if (bad != 0xffffffffu && bad != settings.step) {
        return;
    }
    // In a step without rows too, which a member has that is done before others.
    if (row == 0u && call.training == 1u) {
        state[member].backward = state[member].cursor;
    }
    if (row >= settings.rows) {
        return;
    }
    let logits_at = member * call.logits_member_stride + row * call.outputs;
    let targets_at = input_row(member, call.order_stride, settings.first_row, row) * call.target_stride;
    let statistics_at = member * call.statistics_member_stride + row * call.statistics;
    var weight = 1.0;
    if (call.weighted == 1u) {
        weight = targets[targets_at + call.targets];
    }

    loss_parameters = vec3<f32>(call.parameter0, call.parameter1, call.parameter2);
    if (call.by_member == 1u) {
        loss_parameters = settings.loss.xyz;
    }
    let context = loss_context(logits_at, targets_at);
    var value = 0.0;
    // A row without weight has no loss, whatever its outputs are.
    if (weight != 0.0) {
        value = weight * loss(logits_at, targets_at, context);
    }
    row_statistics[statistics_at] = value;
    write_metrics(statistics_at, logits_at, targets_at);
    collect(member * call.collected_member_stride + (settings.position + row) * call.outputs, logits_at);
    if (call.training == 1u) {
        if (!is_finite(value)) {
            atomicMin(&state[member].bad_step, settings.step);
        }
        let share = settings.share * weight;
        for (var unit = 0u; unit < call.outputs; unit++) {
            var slope = 0.0;
            if (weight != 0.0) {
                slope = loss_grad(logits_at, targets_at, unit, context) * share;
            }
            delta[logits_at + unit] = slope;
        }
    }
}
