// log(1 + e) / e for e in [0, 1]: 2 atanh(s) / e with s = e / (2 + e), by a minimax polynomial of
// relative error 1e-10.
fn log1p_ratio(e: f32) -> f32 {
    let s = e / (2.0 + e);
    let z = s * s;
    let atanh_rest = ((((0.12196954042 * z + 0.106992802533) * z + 0.143101037042) * z
        + 0.199993556234) * z + 0.333333395132) * z;
    return (2.0 + 2.0 * atanh_rest) / (2.0 + e);
}
