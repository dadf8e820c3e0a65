// mish(x) = x tanh(log(1 + e^x)). With e = e^x and n = e (e + 2): x n / (n + 2) below 0, and the
// same over e^2 above.

fn act(x: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), 110.0);
    let power = exponential(-a, 0.0);
    let e = value_of(power);
    let n = e * (e + 2.0);
    let above = (1.0 + 2.0 * e) / (1.0 + 2.0 * e * (1.0 + e));
    return select(x * above, scaled(-a * ((e + 2.0) / (n + 2.0)), power), x < 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), 110.0);
    let power = exponential(-a, 0.0);
    let e = value_of(power);
    let n = e * (e + 2.0);
    let d = 1.0 + 2.0 * e * (1.0 + e);
    let above = (1.0 + 2.0 * e + 4.0 * a * e * e * (1.0 + e) / d) / d;
    // 4 a (1 + e) / (n + 2) = 2 a - 2 a e^2 / (n + 2)
    let factor = ((2.0 - 2.0 * a) + (e + 2.0 * a * e * e / (n + 2.0))) / (n + 2.0);
    return select(above, scaled(factor, power), x < 0.0);
}
