// For activations whose derivative is a function of their input.

@group(0) @binding(5) var<storage, read_write> pre_activation: array<Reals>;

fn keep_pre_activation(at: u32, z: Reals) {
    pre_activation[at] = z;
}
