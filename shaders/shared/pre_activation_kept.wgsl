// For activations whose derivative is a function of their input.

@group(0) @binding(5) var<storage, read_write> pre_activation: array<f32>;

fn keep_pre_activation(index: u32, z: f32) {
    pre_activation[index] = z;
}
