// For activations whose derivative is a function of their input.

@group(0) @binding(5) var<storage, read> pre_activation: array<Reals>;

fn read_pre_activation(at: u32) -> Reals {
    return pre_activation[at];
}
