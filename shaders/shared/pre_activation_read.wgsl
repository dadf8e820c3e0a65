// For activations whose derivative is a function of their input.

@group(0) @binding(5) var<storage, read> pre_activation: array<f32>;

fn read_pre_activation(index: u32) -> f32 {
    return pre_activation[index];
}
