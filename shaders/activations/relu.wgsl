// relu(x) = max(x, 0), written so that NaN stays NaN. The derivative at 0 is 0.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(x, 0.0, x < 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return select(0.0, 1.0, y > 0.0);
}
