// The gradient of what members share, the heads of one network, at every head: the sum of theirs, in
// their order. Where a head's weights are made of the shared ones, its gradient is multiplied by what
// they are. An element an invocation, for all heads of a network. Twin: kernels::share_gradients.

struct ShareGradients {
    members: u32,
    heads: u32,          // members that share, one after the other
    columns: u32,
    length: u32,
    parameter_stride: u32,
    offset: u32,
    input_adapter: u32,   // 1: columns are multiplied
    output_adapter: u32,  // 1: rows are multiplied
    input_adapter_offset: u32,
    output_adapter_offset: u32,
    spare0: u32,
    spare1: u32,
}

@group(0) @binding(0) var<uniform> call: ShareGradients;
@group(0) @binding(6) var<storage, read> parameters: array<f32>;
@group(0) @binding(7) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let item = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    if (item >= call.length) {
        return;
    }
    let first = workgroup.z * call.heads;
    let end = first + call.heads;
    var stopped = 0u;
    for (var member = first; member < end; member++) {
        stopped += select(0u, 1u, has_stopped(member));
    }
    if (stopped == call.heads) {
        return;
    }
    var sum = 0.0;
    if (stopped == 0u) {
        // Heads keep step with each other.
        if (step_settings(first, call.members).updates == 0u) {
            return;
        }
        for (var member = first; member < end; member++) {
            let arena = member * call.parameter_stride;
            var g = gradients[arena + call.offset + item];
            if (call.output_adapter == 1u) {
                g *= parameters[arena + call.output_adapter_offset + item / call.columns];
            }
            if (call.input_adapter == 1u) {
                g *= parameters[arena + call.input_adapter_offset + item % call.columns];
            }
            sum += g;
        }
    } else {
        // A head that met a number that is not finite has no gradient: nor have the others. No constant,
        // as WGSL has none that is not finite.
        sum = bitcast<f32>(0x7fc00000u + stopped);
    }
    for (var member = first; member < end; member++) {
        gradients[member * call.parameter_stride + call.offset + item] = sum;
    }
}
