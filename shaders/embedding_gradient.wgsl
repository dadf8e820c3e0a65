// The gradient of embedded columns' tables, a workgroup a row of the batch and embedded column. The
// first row of the batch with a code adds up the gradients of all vectors with it; other rows have
// nothing to do. So no two workgroups meet, and the order of a sum is a function of the batch.
// What zero_gradients began is added to. Twin: kernels::embedding_gradient.

struct EmbeddingGradient {
    members: u32,
    delta_stride: u32,
    delta_member_stride: u32,
    parameter_stride: u32,
    embeddings: u32,          // of the call
    first_embedding: u32,     // the first of them among the network's
    codes_stride: u32,
    codes_member_stride: u32,
    table: array<EmbeddedColumn, 16>,
}

@group(0) @binding(0) var<uniform> call: EmbeddingGradient;
@group(0) @binding(6) var<storage, read> codes: array<f32>;
@group(0) @binding(7) var<storage, read> delta: array<f32>;
@group(0) @binding(8) var<storage, read_write> gradients: array<f32>;

// Rows whose codes a lane looks at before the lanes meet: one a bit.
const ROWS_A_LANE = 32u;

// Which of them have the code.
var<workgroup> found: array<u32, 64>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let item = workgroup.y * workgroups.x + workgroup.x;
    let settings = step_settings(member, call.members);
    if (item >= settings.rows * call.embeddings || has_stopped(member)) {
        return;
    }
    let row = item / call.embeddings;
    let column = item % call.embeddings;
    let own = call.table[column];
    let first = member * call.codes_member_stride + (call.first_embedding + column) * call.codes_stride;
    let code = codes[first + row];
    if (code < 0.0) {
        return;
    }
    var earlier = 0.0;
    for (var other = lane; other < row; other += LANES) {
        if (codes[first + other] == code) {
            earlier = 1.0;
            break;
        }
    }
    if (sum_lanes(lane, earlier) > 0.0) {
        return;
    }
    // So many lanes stand side by side on the parts of a vector, and share out the rows.
    var width = 1u;
    while (width < own.size && width < LANES) {
        width *= 2u;
    }
    let share = lane / width;
    let deltas = member * call.delta_member_stride + own.input;
    let table_row = member * call.parameter_stride + own.offset + u32(code) * own.size;
    for (var begin = 0u; begin < own.size; begin += width) {
        let part = begin + lane % width;
        var sum = 0.0;
        for (var base = row; base < settings.rows; base += LANES * ROWS_A_LANE) {
            var bits = 0u;
            for (var i = 0u; i < ROWS_A_LANE; i++) {
                let other = base + i * LANES + lane;
                if (other >= settings.rows) {
                    break;
                }
                bits |= select(0u, 1u << i, codes[first + other] == code);
            }
            workgroupBarrier();
            found[lane] = bits;
            workgroupBarrier();
            for (var of_lane = share; of_lane < LANES; of_lane += LANES / width) {
                var left = found[of_lane];
                while (left != 0u) {
                    let i = firstTrailingBit(left);
                    left &= left - 1u;
                    if (part < own.size) {
                        sum += delta[deltas + (base + i * LANES + of_lane) * call.delta_stride + part];
                    }
                }
            }
        }
        workgroupBarrier();
        sums[lane] = sum;
        workgroupBarrier();
        for (var half = LANES / 2u; half >= width; half /= 2u) {
            if (lane < half) {
                sums[lane] += sums[lane + half];
            }
            workgroupBarrier();
        }
        if (lane < width && part < own.size) {
            gradients[table_row + part] += sums[lane];
        }
    }
}
