// What ends a fused step: the weight and bias gradients of several layers with the optimizer's step
// on them, so that no gradient is stored; the sums of the step's log; and the member's way to its
// next step. Workgroups share out all layers' biases and the tiles of their weights; the first ends
// the step.
// shared/apply_step.wgsl steps; shared/biases_apart.wgsl or shared/biases_in_tiles.wgsl has the biases
// stepped. shared/update_*.wgsl read the operands, by the place that they lie in, and a tile's text
// stands there once for each. The host writes find_*: a place's sets `layer` and `block` to its tile
// of that number, or says that there is none and takes the place's tiles off.
// shared/tiles_*.wgsl give the tiles' order. Twin: kernels::update.

struct Update {
    members: u32,
    layers: u32,
    batch_rows: u32,
    order_stride: u32,
    parameter_stride: u32,
    finishes: u32,          // 1: this call ends the step
    statistics: u32,        // values a row of `row_statistics`
    log_width: u32,         // values a step and member of `step_log`
    biases: u32,            // of all layers, each with what pads it to a multiple of four
    spare0: u32,
    spare1: u32,
    spare2: u32,
    table: array<UpdatedLayer, 16>,
}

@group(0) @binding(0) var<uniform> call: Update;
@group(0) @binding(9) var<storage, read> row_statistics: array<f32>;
@group(0) @binding(13) var<storage, read_write> step_log: array<f32>;

var<private> block: Block;

// The settings of the weights of the tile's layer: all have the same.
var<private> own: BlockSettings;

// A number that no tile has.
const NO_TILE = 0xffff0000u;

// The row of the batch that the sums begin at.
const part_start = 0u;

fn problem() -> Problem {
    return Problem(layer.units, layer.inputs, settings.rows);
}

fn store(row: u32, column: u32, sum: Reals) {
    let element = layer.weight_offset + row * layer.inputs + column;
    apply_step(member, call.parameter_stride, element, own, sum, true, settings);
}

// Reads what a tile's weights have in common once, not for each of them.
fn begin_tile() {
    own = settings_of(member * call.parameter_stride + layer.weight_offset);
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

// Workgroups share out the biases, then the tiles, a loop for each place: what stands in a loop or a
// branch costs some adapters its time even where it is not taken. A member that has stopped has no
// tiles. The first ends the step.
fn run(workgroup: vec3<u32>, workgroups: vec3<u32>, lane: u32) {
    member = workgroup.z;
    settings = step_settings(member, call.members);
    let stopped = has_stopped(member);
    let group = workgroup.y * workgroups.x + workgroup.x;
    let stride = workgroups.x * workgroups.y;
    if (group == 0u && call.finishes == 1u) {
        finish(lane);
    }
    let chunks = step_biases(group, stride, lane, stopped);
    var item = select((group + stride - chunks % stride) % stride, NO_TILE, stopped);
    while (find_gathered(&item)) {
        begin_tile();
        tile_gathered(block, lane);
        item += stride;
    }
    while (find_odd(&item)) {
        begin_tile();
        tile_odd(block, lane);
        item += stride;
    }
    while (find_even(&item)) {
        begin_tile();
        tile_even(block, lane);
        item += stride;
    }
    report_bad(member);
}
