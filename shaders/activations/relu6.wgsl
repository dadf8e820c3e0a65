// relu6(x) = min(max(x, 0), 6), written so that NaN stays NaN. The derivative at 0 and 6 is 0.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(select(x, 0.0, x < 0.0), 6.0, x > 6.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return select(0.0, 1.0, x > 0.0 && x < 6.0);
}
