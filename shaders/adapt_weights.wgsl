// A member's weights out of those that all members share: the row of a unit times what the member's
// sums are multiplied by, the column of an input times what its input is. An element an invocation; the
// biases behind the weights are copied. Twin: kernels::adapt_weights.

struct AdaptWeights {
    members: u32,
    inputs: u32,
    units: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
    input_adapter: u32,   // 1: inputs are multiplied
    output_adapter: u32,  // 1: sums are multiplied
    input_adapter_offset: u32,
    output_adapter_offset: u32,
    spare0: u32,
    spare1: u32,
}

@group(0) @binding(0) var<uniform> call: AdaptWeights;
@group(0) @binding(6) var<storage, read> parameters: array<f32>;
@group(0) @binding(7) var<storage, read_write> adapted: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let item = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    let weights = call.inputs * call.units;
    if (item >= weights + call.units || has_stopped(member)) {
        return;
    }
    let arena = member * call.parameter_stride;
    if (item >= weights) {
        let at = arena + call.bias_offset + item - weights;
        adapted[at] = parameters[at];
        return;
    }
    let at = arena + call.weight_offset + item;
    var w = parameters[at];
    if (call.output_adapter == 1u) {
        w *= parameters[arena + call.output_adapter_offset + item / call.inputs];
    }
    if (call.input_adapter == 1u) {
        w *= parameters[arena + call.input_adapter_offset + item % call.inputs];
    }
    adapted[at] = w;
}
