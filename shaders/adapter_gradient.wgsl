// Gradients of what a member's inputs and sums are multiplied by, out of the gradient of the weights
// that are made with them: of an input the sum over the units, of a unit over the inputs. A factor an
// invocation, those of the inputs first. Twin: kernels::adapter_gradient.

struct AdapterGradient {
    members: u32,
    inputs: u32,
    units: u32,
    parameter_stride: u32,
    weight_offset: u32,
    input_adapter: u32,   // 1: inputs are multiplied
    output_adapter: u32,  // 1: sums are multiplied
    input_adapter_offset: u32,
    output_adapter_offset: u32,
    spare0: u32,
    spare1: u32,
    spare2: u32,
}

@group(0) @binding(0) var<uniform> call: AdapterGradient;
@group(0) @binding(6) var<storage, read> parameters: array<f32>;
@group(0) @binding(7) var<storage, read_write> gradients: array<f32>;

fn of_input(arena: u32, input: u32) -> f32 {
    if (call.input_adapter == 1u) {
        return parameters[arena + call.input_adapter_offset + input];
    }
    return 1.0;
}

fn of_unit(arena: u32, unit: u32) -> f32 {
    if (call.output_adapter == 1u) {
        return parameters[arena + call.output_adapter_offset + unit];
    }
    return 1.0;
}

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let item = workgroup.x * 64u + lane;
    let inputs = call.inputs * call.input_adapter;
    let units = call.units * call.output_adapter;
    if (item >= inputs + units || has_stopped(member)) {
        return;
    }
    // The gradient of the weights is whole only after the last batch of a step.
    if (step_settings(member, call.members).updates == 0u) {
        return;
    }
    let arena = member * call.parameter_stride;
    let weights = arena + call.weight_offset;
    var sum = 0.0;
    if (item < inputs) {
        for (var unit = 0u; unit < call.units; unit++) {
            let at = weights + unit * call.inputs + item;
            sum += gradients[at] * parameters[at] * of_unit(arena, unit);
        }
        gradients[arena + call.input_adapter_offset + item] = sum;
    } else {
        let unit = item - inputs;
        for (var input = 0u; input < call.inputs; input++) {
            let at = weights + unit * call.inputs + input;
            sum += gradients[at] * parameters[at] * of_input(arena, input);
        }
        gradients[arena + call.output_adapter_offset + unit] = sum;
    }
}
