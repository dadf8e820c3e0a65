// hard_sigmoid(x) = min(max(x + 3, 0), 6) / 6, written so that NaN stays NaN. The derivative at
// -3 and 3 is 0.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(select((x + 3.0) / 6.0, 0.0, x < -3.0), 1.0, x > 3.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return select(0.0, 0.16666666666666667, x > -3.0 && x < 3.0);
}
