// An activation of whole rows, such as softmax; a row an invocation.
// The variant's file gives: row_act. Twin: kernels::row_activation.

struct RowActivation {
    members: u32,
    units: u32,
    member_stride: u32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: RowActivation;
@group(0) @binding(6) var<storage, read> input: array<f32>;
@group(0) @binding(7) var<storage, read_write> output: array<f32>;

fn read_input(at: u32) -> f32 {
    return input[at];
}

fn write_output(at: u32, value: f32) {
    output[at] = value;
}

// The variant's gradient is not called here.
fn read_output(at: u32) -> f32 {
    return output[at];
}

fn read_delta(at: u32) -> f32 {
    return 0.0;
}

fn write_delta(at: u32, value: f32) {}

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    if (has_stopped(member)) {
        return;
    }
    let row = workgroup.x * 64u + lane;
    if (row < step_settings(member, call.members).rows) {
        row_act(member * call.member_stride + row * call.units);
    }
}
