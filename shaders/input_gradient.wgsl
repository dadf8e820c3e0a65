// Operands of the gradient that a dense layer hands to the layer below:
// delta_below = (delta W) * dropout mask * act'(below), or (delta W) as it is (+ what goes round
// the layer) where the activation below has a kernel of its own.
// Rows are the batch's, columns the layer's inputs (the units below), depth its units.
// A is `delta`, B is `parameters`.
// shared/delta_*.wgsl gives: begin_store, store. Twin: kernels::input_gradient.

struct InputGradient {
    members: u32,
    inputs: u32,
    outputs: u32,
    delta_member_stride: u32,
    below_member_stride: u32,   // of `below`, `pre_activation` and `delta_below`
    parameter_stride: u32,
    weight_offset: u32,
    layer: u32,                 // row of the layer table for the layer below
    layer_stride: u32,
    alpha: f32,                 // the activation's parameters below
    beta: f32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: InputGradient;
@group(0) @binding(9) var<storage, read_write> delta_below: array<Reals>;

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
    begin_store(which);
    return !has_stopped(which);
}

fn problem() -> Problem {
    return Problem(settings.rows, call.inputs, call.outputs);
}

fn a_line(row: u32) -> u32 {
    return member * call.delta_member_stride + row * call.outputs;
}

fn load_a(line: u32, k: u32) -> f32 {
    return a_value(line + k);
}

fn load_a_quad(line: u32, k: u32) -> vec4<f32> {
    return a_quad(line + k);
}

fn b_line(k: u32) -> u32 {
    return member * call.parameter_stride + call.weight_offset + k * call.inputs;
}

fn load_b(line: u32, column: u32) -> f32 {
    return b_value(line + column);
}

fn load_b_quad(line: u32, column: u32) -> vec4<f32> {
    return b_quad(line + column);
}
