// The bias gradients of a part of the batch, four units at a time.

fn bias_gradient(unit: u32) -> Reals {
    return vec4<f32>(
        delta_sum(unit), delta_sum(unit + 1u), delta_sum(unit + 2u), delta_sum(unit + 3u)
    );
}
