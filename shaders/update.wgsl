// What ends a fused step: the weight and bias gradients of several layers with the optimizer's step
// on them, so that no gradient is stored; the sums of the step's log; and the member's way to its
// next step. Workgroups first make the tiles of every layer's weights; then comes one for each
// layer's biases, and the last of them ends the step; or, with BIASES_TOGETHER, the last does both.
// shared/apply_step.wgsl steps; shared/update_*.wgsl read the operands, by the place that they lie
// in, and a tile's text stands there once for each; shared/tiles_*.wgsl give the tiles' order.
// Twin: kernels::update.

struct Update {
    members: u32,
    layers: u32,
    batch_rows: u32,
    order_stride: u32,
    parameter_stride: u32,
    finishes: u32,          // 1: this call ends the step
    statistics: u32,        // values a row of `row_statistics`
    log_width: u32,         // values a step and member of `step_log`
    table: array<UpdatedLayer, 16>,
}

@group(0) @binding(0) var<uniform> call: Update;
@group(0) @binding(9) var<storage, read> row_statistics: array<f32>;
@group(0) @binding(13) var<storage, read_write> step_log: array<f32>;

// The row of the batch that the sums begin at.
const part_start = 0u;

fn problem() -> Problem {
    return Problem(layer.units, layer.inputs, settings.rows);
}

fn store(row: u32, column: u32, sum: Reals) {
    let element = layer.weight_offset + row * layer.inputs + column;
    apply_step(member, call.parameter_stride, element, sum, true, settings);
}

// Sums the row statistics into the step's row of the log, an invocation a statistic, and moves the
// member on.
fn finish(lane: u32) {
    let width = call.statistics;
    let first = member * call.batch_rows * width;
    for (var statistic = lane; statistic < width; statistic += LANES) {
        var sums = vec4<f32>();
        for (var row = 0u; row < settings.rows; row += 4u) {
            for (var i = 0u; i < 4u; i++) {
                if (row + i < settings.rows) {
                    sums[i] += row_statistics[first + (row + i) * width + statistic];
                }
            }
        }
        let at = (state[member].backward * call.members + member) * call.log_width + statistic;
        step_log[at] = (sums.x + sums.y) + (sums.z + sums.w);
    }
    if (lane == 0u && !has_stopped(member)) {
        state[member].cursor = state[member].backward + 1u;
    }
}

// The sum of a unit's gradient over the batch; 0 past the last unit.
fn delta_sum(unit: u32) -> f32 {
    var sums = vec4<f32>();
    if (unit < layer.units) {
        for (var k = 0u; k < settings.rows; k += 4u) {
            for (var i = 0u; i < 4u; i++) {
                if (k + i < settings.rows) {
                    if (layer.place == 1u) {
                        sums[i] += load_a_odd(a_line_odd(k + i), unit);
                    } else {
                        sums[i] += load_a_even(a_line_even(k + i), unit);
                    }
                }
            }
        }
    }
    return (sums.x + sums.y) + (sums.z + sums.w);
}

// The biases, and what pads them to a multiple of four.
fn biases(lane: u32) {
    let padded = (layer.units + 3u) / 4u * 4u;
    for (var unit = lane * REALS; unit < padded; unit += LANES * REALS) {
        let element = layer.bias_offset + unit;
        apply_step(member, call.parameter_stride, element, bias_gradient(unit), true, settings);
    }
}

// What a workgroup does.
const TILE = 0u;
const BIASES = 1u;
const FINISH = 2u;

fn run(workgroup: vec3<u32>, workgroups: vec3<u32>, lane: u32) {
    member = workgroup.z;
    settings = step_settings(member, call.members);
    // Found first and done after: what stands in a loop or a branch costs some adapters its time
    // even where it is not taken.
    var left = workgroup.y * workgroups.x + workgroup.x;
    var what = FINISH;
    var which = 0u;
    for (var i = 0u; i < 2u * call.layers; i++) {
        let at = i % call.layers;
        let units = call.table[at].units;
        let columns = (call.table[at].inputs + TILE_COLUMNS - 1u) / TILE_COLUMNS;
        let tiles = (units + TILE_ROWS - 1u) / TILE_ROWS * columns;
        let count = select(select(1u, 0u, BIASES_TOGETHER), tiles, i < call.layers);
        if (left < count) {
            what = select(BIASES, TILE, i < call.layers);
            which = at;
            break;
        }
        left -= count;
    }
    layer = call.table[which];
    if (what == FINISH) {
        if (left > 0u) {
            return;
        }
        if (BIASES_TOGETHER && !has_stopped(member)) {
            for (var i = 0u; i < call.layers; i++) {
                layer = call.table[i];
                biases(lane);
            }
            report_bad(member);
        }
        if (call.finishes == 1u) {
            finish(lane);
        }
        return;
    }
    if (has_stopped(member)) {
        return;
    }
    if (what == BIASES) {
        biases(lane);
    } else {
        let columns = (layer.inputs + TILE_COLUMNS - 1u) / TILE_COLUMNS;
        let block = block_at(left, columns, (layer.units + TILE_ROWS - 1u) / TILE_ROWS);
        if (layer.place == 2u) {
            tile_gathered(block, lane);
        } else if (layer.place == 1u) {
            tile_odd(block, lane);
        } else {
            tile_even(block, lane);
        }
    }
    report_bad(member);
}
