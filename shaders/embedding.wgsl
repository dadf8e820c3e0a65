// The input of the first layer: the values of the gathered data rows, and in place of each code the
// row of its learned table; an input an invocation. A code that has no row gives zeros, and is kept
// as -1. Twin: kernels::embedding.

struct Embedding {
    members: u32,
    inputs: u32,                // that the call makes
    first_input: u32,           // the first of them among the layer's
    first_column: u32,          // of the data row, that it is made of
    data_stride: u32,
    order_stride: u32,
    output_stride: u32,
    output_member_stride: u32,
    parameter_stride: u32,
    embeddings: u32,            // of the call
    first_embedding: u32,       // the first of them among the network's
    codes_stride: u32,
    codes_member_stride: u32,
    spare0: u32,
    spare1: u32,
    spare2: u32,
    table: array<EmbeddedColumn, 16>,
}

@group(0) @binding(0) var<uniform> call: Embedding;
@group(0) @binding(6) var<storage, read> input: array<f32>;
@group(0) @binding(7) var<storage, read> parameters: array<f32>;
@group(0) @binding(8) var<storage, read_write> output: array<f32>;
@group(0) @binding(9) var<storage, read_write> codes: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let element = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    if (has_stopped(member)) {
        return;
    }
    let settings = step_settings(member, call.members);
    if (element >= settings.rows * call.inputs) {
        return;
    }
    let row = element / call.inputs;
    let place = call.first_input + element % call.inputs;
    let data = input_row(member, call.order_stride, settings.first_row, row) * call.data_stride;
    let at = member * call.output_member_stride + row * call.output_stride + place;
    // Every vector before it takes the place of one column.
    var column = call.first_column + element % call.inputs;
    for (var i = 0u; i < call.embeddings; i++) {
        let own = call.table[i];
        if (place < own.input) {
            break;
        }
        let part = place - own.input;
        if (part >= own.size) {
            column -= own.size - 1u;
            continue;
        }
        let code = input[data + own.column];
        let known = code >= 0.0 && code < f32(own.categories);
        var value = 0.0;
        if (known) {
            value = parameters[member * call.parameter_stride + own.offset + u32(code) * own.size + part];
        }
        output[at] = value;
        if (part == 0u) {
            let first = member * call.codes_member_stride + (call.first_embedding + i) * call.codes_stride;
            codes[first + row] = select(-1.0, code, known);
        }
        return;
    }
    output[at] = input[data + column];
}
