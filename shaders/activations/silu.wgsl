// silu(x) = x / (1 + exp(-x)) = x e^x / (1 + e^x)

fn act(x: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), 110.0);
    let power = exponential(-a, 0.0);
    let e = value_of(power);
    return select(x, scaled(-a, power), x < 0.0) / (1.0 + e);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), 110.0);
    let power = exponential(-a, 0.0);
    let e = value_of(power);
    let s = 1.0 / (1.0 + e);
    let below = scaled((1.0 - a / (1.0 + e)) / (1.0 + e), power);
    return select(s * (1.0 + a * e * s), below, x < 0.0);
}
