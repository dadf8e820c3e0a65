// For activations whose derivative is a function of their output.

fn keep_pre_activation(at: u32, z: Reals) {}
