// The gradient of a unit over the batch, one row after the other.

fn delta_of(k: u32, unit: u32) -> f32 {
    if (layer.place == 1u) {
        return load_a_odd(a_line_odd(k), unit);
    }
    return load_a_even(a_line_even(k), unit);
}

// The sum of a unit's gradient; 0 past the last unit.
fn delta_sum(unit: u32) -> f32 {
    var sums = vec4<f32>();
    if (unit < layer.units) {
        for (var k = 0u; k < settings.rows; k += 4u) {
            for (var i = 0u; i < 4u; i++) {
                if (k + i < settings.rows) {
                    sums[i] += delta_of(k + i, unit);
                }
            }
        }
    }
    return (sums.x + sums.y) + (sums.z + sums.w);
}
