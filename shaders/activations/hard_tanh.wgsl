// hard_tanh(x) = x within [minimum, maximum], and the nearer end outside, written so that NaN stays
// NaN. The derivative at both ends is 0.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(select(x, p.x, x < p.x), p.y, x > p.y);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return select(0.0, 1.0, x > p.x && x < p.y);
}
