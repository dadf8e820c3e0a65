// Operands of a dense layer, forward: output = dropout(act(input W^T + bias)).
// Rows are the batch's, columns the layer's units, depth its inputs. A is `input`, B is `parameters`.
// Twin: kernels::dense_forward.

struct DenseForward {
    members: u32,
    inputs: u32,
    outputs: u32,
    input_member_stride: u32,   // 0 when all members share the data set
    output_member_stride: u32,
    order_stride: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
    layer: u32,                 // row of the layer table, members outermost
    layer_stride: u32,
    dropout: u32,               // 1 in training, 0 in evaluation
    alpha: f32,                 // the activation's parameters
    beta: f32,
    spare0: u32,
    spare1: u32,
}

@group(0) @binding(0) var<uniform> call: DenseForward;
@group(0) @binding(8) var<storage, read_write> output: array<Reals>;

struct Problem {
    rows: u32,
    columns: u32,
    depth: u32,
}

var<private> member: u32;
var<private> settings: StepSettings;
var<private> layer: LayerSettings;

fn begin(which: u32) -> bool {
    member = which;
    settings = step_settings(which, call.members);
    layer = layer_settings(which * call.layer_stride + call.layer);
    return !has_stopped(which);
}

fn problem() -> Problem {
    return Problem(settings.rows, call.outputs, call.inputs);
}

fn a_line(row: u32) -> u32 {
    return member * call.input_member_stride
        + input_row(member, call.order_stride, settings.first_row, row) * call.inputs;
}

fn load_a(line: u32, k: u32) -> f32 {
    return a_value(line + k);
}

fn load_a_quad(line: u32, k: u32) -> vec4<f32> {
    return a_quad(line + k);
}

fn b_line(column: u32) -> u32 {
    return member * call.parameter_stride + call.weight_offset + column * call.inputs;
}

fn load_b(line: u32, k: u32) -> f32 {
    return b_value(line + k);
}

fn load_b_quad(line: u32, k: u32) -> vec4<f32> {
    return b_quad(line + k);
}

fn bias(column: u32) -> f32 {
    return b_value(member * call.parameter_stride + call.bias_offset + column);
}

// A layer's biases are padded to a multiple of four.
fn bias_quad(column: u32) -> vec4<f32> {
    return b_quad(member * call.parameter_stride + call.bias_offset + column);
}

fn store(row: u32, column: u32, z: Reals) {
    let element = row * call.outputs + column;
    let at = (member * call.output_member_stride + element) / REALS;
    keep_pre_activation(at, z);
    var y = activate(z, vec2<f32>(call.alpha, call.beta));
    if (call.dropout == 1u) {
        y *= dropout_scales(layer, element, settings.batch);
    }
    output[at] = y;
}
