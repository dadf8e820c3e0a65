// The bias gradients of an update, four units at a time: those of rows made of whole quads are read
// together. The sums are those of shared/delta_sum.wgsl.

fn deltas_of(k: u32, unit: u32) -> vec4<f32> {
    if (layer.place == 1u) {
        return load_a_quad_odd(a_line_odd(k), unit);
    }
    return load_a_quad_even(a_line_even(k), unit);
}

fn bias_gradient(unit: u32) -> Reals {
    if (layer.units % 4u != 0u) {
        return vec4<f32>(
            delta_sum(unit), delta_sum(unit + 1u), delta_sum(unit + 2u), delta_sum(unit + 3u)
        );
    }
    var sums = mat4x4<f32>();
    for (var k = 0u; k < settings.rows; k += 4u) {
        for (var i = 0u; i < 4u; i++) {
            if (k + i < settings.rows) {
                sums[i] += deltas_of(k + i, unit);
            }
        }
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}
