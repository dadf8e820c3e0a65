// hard_silu(x) = x min(max(x + 3, 0), 6) / 6, written so that NaN stays NaN. The derivative is 0 at
// -3 and 1 at 3.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(select(x * ((x + 3.0) / 6.0), 0.0, x <= -3.0), x, x >= 3.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return select(select((2.0 * x + 3.0) / 6.0, 0.0, x <= -3.0), 1.0, x >= 3.0);
}
