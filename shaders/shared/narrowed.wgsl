// What is stored in f16. Past its largest number that is infinity, whichever way the driver rounds.
// Twin: program::overflows_f16.

fn overflows_f16(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) >= 0x477ff000u;
}

fn narrowed(x: f32) -> f16 {
    let bits = bitcast<u32>(x);
    let infinite = bitcast<f32>((bits & 0x80000000u) | 0x7f800000u);
    // NaN stays what it is.
    let is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    return f16(select(x, infinite, overflows_f16(x) && !is_nan));
}
