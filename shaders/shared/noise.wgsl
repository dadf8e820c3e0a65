// A standard normal number by Box and Muller (1958). The stream is the mask's with the words of
// its key swapped. Logarithm and cosine by the polynomials of Cephes (logf, sinf, cosf): drivers
// promise four digits of the built-in ones, and every device shall draw the same.

// log(x) for x in (0, 1).
fn log_of_share(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    var exponent = f32(bits >> 23u) - 126.0;
    var m = bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u);
    if (m < 0.70710678) {
        exponent -= 1.0;
        m += m;
    }
    let z = m - 1.0;
    let p = ((((((((7.0376836292e-2 * z - 1.1514610310e-1) * z + 1.1676998740e-1) * z
        - 1.2420140846e-1) * z + 1.4249322787e-1) * z - 1.6668057665e-1) * z + 2.0000714765e-1) * z
        - 2.4999993993e-1) * z + 3.3333331174e-1) * z * z * z;
    return z + (p - 2.12194440e-4 * exponent - 0.5 * z * z) + 0.693359375 * exponent;
}

// cos(2 pi turns) for turns in (0, 1).
fn cosine_of_turns(turns: f32) -> f32 {
    let t = min(turns, 1.0 - turns);
    let is_sine = t > 0.125 && t < 0.375;
    let x = 6.283185307179586 * select(select(t, 0.5 - t, t > 0.25), 0.25 - t, is_sine);
    let z = x * x;
    let sine = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * x + x;
    let cosine = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2)
        * z * z - 0.5 * z + 1.0;
    return select(select(cosine, -cosine, t > 0.25), sine, is_sine);
}

fn noise(layer: LayerSettings, element: u32, batch: u32) -> f32 {
    let bits = threefry2x32(vec2<u32>(layer.key1, layer.key0), vec2<u32>(element, batch));
    let uniform_0 = (f32(bits.x >> 8u) + 0.5) / 16777216.0;
    let uniform_1 = (f32(bits.y >> 8u) + 0.5) / 16777216.0;
    return sqrt(-2.0 * log_of_share(uniform_0)) * cosine_of_turns(uniform_1);
}
