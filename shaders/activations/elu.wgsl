// elu(x) = x above 0, alpha (e^x - 1) below.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(p.x * expm1(not_below(x, -110.0)), x, x > 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return select(scaled(p.x, exponential(not_below(x, -110.0), 0.0)), 1.0, x > 0.0);
}
