// Operands of a dense layer's weight and bias gradients: dW = delta^T input, db = column sums of
// delta. The bias is one more input that is always 1, so column `inputs` holds its gradient.
// Rows are the layer's units, columns its inputs and the bias, depth the batch's rows.
// A is `delta`, B is `input`.
// Twin: kernels::weight_gradient.

struct WeightGradient {
    members: u32,
    inputs: u32,
    outputs: u32,
    input_member_stride: u32,   // 0 when all members share the data set
    delta_member_stride: u32,
    order_stride: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
    spare0: u32,
    spare1: u32,
    spare2: u32,
}

@group(0) @binding(0) var<uniform> call: WeightGradient;
@group(0) @binding(8) var<storage, read_write> gradients: array<f32>;

struct Problem {
    rows: u32,
    columns: u32,
    depth: u32,
}

var<private> member: u32;
var<private> settings: StepSettings;

fn begin(which: u32) -> bool {
    member = which;
    settings = step_settings(which, call.members);
    return !has_stopped(which);
}

fn problem() -> Problem {
    return Problem(call.outputs, call.inputs + 1u, settings.rows);
}

fn a_line(k: u32) -> u32 {
    return member * call.delta_member_stride + k * call.outputs;
}

fn load_a(line: u32, row: u32) -> f32 {
    return a_value(line + row);
}

fn load_a_quad(line: u32, row: u32) -> vec4<f32> {
    return a_quad(line + row);
}

fn b_line(k: u32) -> u32 {
    return member * call.input_member_stride
        + input_row(member, call.order_stride, settings.first_row, k) * call.inputs;
}

fn load_b(line: u32, column: u32) -> f32 {
    return select(b_value(line + min(column, call.inputs - 1u)), 1.0, column == call.inputs);
}

// `inputs` is a multiple of 4 here: a quad is of inputs or begins with the bias.
fn load_b_quad(line: u32, column: u32) -> vec4<f32> {
    let inputs = b_quad(line + min(column, call.inputs - 4u));
    return select(inputs, vec4<f32>(1.0, 0.0, 0.0, 0.0), column == call.inputs);
}

fn store(row: u32, column: u32, sum: f32) {
    let arena = member * call.parameter_stride;
    var at = arena + call.weight_offset + row * call.inputs + column;
    if (column == call.inputs) {
        at = arena + call.bias_offset + row;
    }
    if (settings.accumulates == 1u) {
        gradients[at] += sum;
    } else {
        gradients[at] = sum;
    }
}
