// The first element, counted from `element`, that is not finite; 0xffffffff: all are. WGSL may assume
// that every float is finite, so the exponent bits are looked at instead.
fn first_not_finite(element: u32, gradient: Reals, updated: Reals) -> u32 {
    let exponent = vec4<u32>(0x7f800000u);
    let bad = ((bitcast<vec4<u32>>(gradient) & exponent) == exponent)
        | ((bitcast<vec4<u32>>(updated) & exponent) == exponent);
    let elements = vec4<u32>(element, element + 1u, element + 2u, element + 3u);
    let at = select(vec4<u32>(0xffffffffu), elements, bad);
    return min(min(at.x, at.y), min(at.z, at.w));
}
