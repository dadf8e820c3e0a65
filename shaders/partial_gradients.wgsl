// The weight and bias gradients of several layers, of each part of the batch by itself, which
// optimizer_step sums; the sums of the step's log; and the member's way to its next step. Where a
// batch is large and its layers are few tiles, its parts keep a GPU busy, and sums over its rows are
// shared by the lanes of a workgroup. Workgroups first make the tiles of every layer's weights, then
// BIAS_UNITS biases each; the last ends the step. A part without rows is left as it is.
// shared/update_*.wgsl read the operands, by the place that they lie in; shared/tiles_*.wgsl give
// the tiles' order. Twin: kernels::partial_gradients.

struct PartialGradients {
    members: u32,
    layers: u32,
    batch_rows: u32,
    order_stride: u32,
    parameter_stride: u32,
    finishes: u32,          // 1: this call ends the step
    statistics: u32,        // values a row of `row_statistics`
    log_width: u32,         // values a step and member of `step_log`
    parts: u32,             // of the largest batch
    part_rows: u32,         // rows of each part but the last that has any
    spare0: u32,
    spare1: u32,
    table: array<UpdatedLayer, 16>,
}

@group(0) @binding(0) var<uniform> call: PartialGradients;
@group(0) @binding(8) var<storage, read_write> partial_gradients: array<Reals>;
@group(0) @binding(9) var<storage, read> row_statistics: array<f32>;
@group(0) @binding(13) var<storage, read_write> step_log: array<f32>;

// The part's rows of the batch, and where its gradients begin.
var<private> part_start: u32;
var<private> part_rows: u32;
var<private> part_at: u32;

var<workgroup> lane_sums: array<f32, LANES>;

fn problem() -> Problem {
    return Problem(layer.units, layer.inputs, part_rows);
}

fn keep(element: u32, sum: Reals) {
    partial_gradients[(part_at + element) / REALS] = sum;
}

fn store(row: u32, column: u32, sum: Reals) {
    keep(layer.weight_offset + row * layer.inputs + column, sum);
}

// Sums the lanes' values until `left` sums are left in `lane_sums`: a tree of fixed shape.
fn fold_lanes(lane: u32, value: f32, left: u32) {
    workgroupBarrier();
    lane_sums[lane] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half >= left; half /= 2u) {
        if (lane < half) {
            lane_sums[lane] += lane_sums[lane + half];
        }
        workgroupBarrier();
    }
}

// The gradient of a unit's bias, once the lanes are folded.
fn delta_sum(unit: u32) -> f32 {
    return lane_sums[unit % BIAS_UNITS];
}

// BIAS_UNITS biases from one on, and what pads them to a multiple of four.
fn biases(first: u32, lane: u32) {
    let unit = first + lane % BIAS_UNITS;
    let apart = LANES / BIAS_UNITS;
    var sum = 0.0;
    if (unit < layer.units) {
        for (var k = lane / BIAS_UNITS; k < part_rows; k += apart) {
            if (layer.place == 1u) {
                sum += load_a_odd(a_line_odd(k), unit);
            } else {
                sum += load_a_even(a_line_even(k), unit);
            }
        }
    }
    fold_lanes(lane, sum, BIAS_UNITS);
    let mine = first + lane * REALS;
    if (lane * REALS < BIAS_UNITS && mine < (layer.units + 3u) / 4u * 4u) {
        keep(layer.bias_offset + mine, bias_gradient(mine));
    }
}

// Sums the row statistics into the step's row of the log, and moves the member on.
fn finish(lane: u32) {
    let width = call.statistics;
    let first = member * call.batch_rows * width;
    let log_at = (state[member].backward * call.members + member) * call.log_width;
    for (var statistic = 0u; statistic < width; statistic++) {
        var sum = 0.0;
        for (var row = lane; row < settings.rows; row += LANES) {
            sum += row_statistics[first + row * width + statistic];
        }
        fold_lanes(lane, sum, 1u);
        if (lane == 0u) {
            step_log[log_at + statistic] = lane_sums[0];
        }
    }
    if (lane == 0u && !has_stopped(member)) {
        state[member].cursor = state[member].backward + 1u;
    }
}

// What a workgroup does.
const TILE = 0u;
const BIASES = 1u;
const FINISH = 2u;

fn run(workgroup: vec3<u32>, workgroups: vec3<u32>, lane: u32) {
    member = workgroup.z % call.members;
    let part = workgroup.z / call.members;
    settings = step_settings(member, call.members);
    part_start = part * call.part_rows;
    part_rows = min(settings.rows - min(part_start, settings.rows), call.part_rows);
    part_at = workgroup.z * call.parameter_stride;
    var left = workgroup.y * workgroups.x + workgroup.x;
    var what = FINISH;
    for (var i = 0u; i < 2u * call.layers; i++) {
        layer = call.table[i % call.layers];
        let columns = (layer.inputs + TILE_COLUMNS - 1u) / TILE_COLUMNS;
        let tiles = (layer.units + TILE_ROWS - 1u) / TILE_ROWS * columns;
        let groups = (layer.units + BIAS_UNITS - 1u) / BIAS_UNITS;
        let count = select(groups, tiles, i < call.layers);
        if (left < count) {
            what = select(BIASES, TILE, i < call.layers);
            break;
        }
        left -= count;
    }
    if (what == FINISH) {
        if (left == 0u && part == 0u && call.finishes == 1u) {
            finish(lane);
        }
        return;
    }
    if (part_rows == 0u || has_stopped(member)) {
        return;
    }
    if (what == BIASES) {
        biases(left * BIAS_UNITS, lane);
        return;
    }
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
