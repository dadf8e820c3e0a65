// Quads of reals as pairs of 64-bit integers, which lie in memory as they do.

fn quad_of_pair(pair: vec2<u64>) -> vec4<f32> {
    let low = vec2<u32>(pair);
    let high = vec2<u32>(pair >> vec2<u32>(32u));
    return bitcast<vec4<f32>>(vec4<u32>(low.x, high.x, low.y, high.y));
}

// The component of a quad that lies in the half of its pair.
fn real_of_half(half: u64, component: u32) -> f32 {
    return bitcast<f32>(u32(half >> (component % 2u * 32u)));
}

fn pair_of_quad(quad: vec4<f32>) -> vec2<u64> {
    let bits = bitcast<vec4<u32>>(quad);
    return vec2<u64>(bits.xz) | (vec2<u64>(bits.yw) << vec2<u32>(32u));
}
