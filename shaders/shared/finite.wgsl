// WGSL may assume that every float is finite, so the exponent bits are looked at instead.

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
