// sigmoid(x) = 1 / (1 + exp(-x)), without exp of a large positive number.

fn act(x: f32, p: vec2<f32>) -> f32 {
    let e = value_of(exponential(not_below(-abs(x), -110.0), 0.0));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return y * (1.0 - y);
}
