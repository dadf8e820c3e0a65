// exp, to about one ulp: the built-in's error may grow with its argument (3 + 2 |x| ulp; WGSL,
// "Concrete floating point accuracy"), and it loses the digits of what is below the smallest
// normal number before a factor could bring it back.
//
// Cody and Waite's reduction x = n ln 2 + r, then e^r - 1 by the polynomial of Cephes' expf.

// e^x = (1 + fraction) * scale * rest.
struct Exponential {
    fraction: f32,
    scale: f32,
    rest: f32,
}

// 2^n for n in [-126, 127].
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// The larger of x and `low`; NaN stays NaN.
fn not_below(x: f32, low: f32) -> f32 {
    return select(x, low, x < low);
}

// The smaller of x and `high`; NaN stays NaN.
fn not_above(x: f32, high: f32) -> f32 {
    return select(x, high, x > high);
}

// The upper 12 bits, whose product with 12 others is exact. fma() would say what a product's rounding
// left, but need not be fused.
fn head_of(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// e^(x + tail), for a sum in [-170, 170] and a tail far below it.
fn exponential(x: f32, tail: f32) -> Exponential {
    let n = round((x + tail) * 1.44269504);
    let r = ((x - n * 0.693359375) + n * 2.12194440e-4) + tail;
    let z = ((((1.9875691500e-4 * r + 1.3981999507e-3) * r + 8.3334519073e-3) * r
        + 4.1665795894e-2) * r + 1.6666665459e-1) * r + 5.0000001201e-1;
    let half = i32(n) >> 1u;
    return Exponential(r + r * r * z, power_of_two(half), power_of_two(i32(n) - half));
}

fn value_of(e: Exponential) -> f32 {
    return (1.0 + e.fraction) * e.scale * e.rest;
}

// The factor times e, where e alone may be too small for a normal number.
fn scaled(factor: f32, e: Exponential) -> f32 {
    return (factor * (1.0 + e.fraction) * e.scale) * e.rest;
}

// e^x - 1 for x in [-170, 0].
fn expm1(x: f32) -> f32 {
    let e = exponential(x, 0.0);
    let power = e.scale * e.rest;
    return power * e.fraction + (power - 1.0);
}
