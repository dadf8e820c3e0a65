// celu(x) = x above 0, alpha (e^(x / alpha) - 1) below.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(p.x * expm1(not_below(x / p.x, -110.0)), x, x > 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let ratio = x / p.x;
    if (ratio < -110.0) {
        return 0.0;
    }
    // What the division left: its error counts |ratio|-fold.
    let head = head_of(ratio);
    let alpha_head = head_of(p.x);
    let left = ((x - head * alpha_head) - head * (p.x - alpha_head)) - (ratio - head) * p.x;
    return select(value_of(exponential(ratio, left / p.x)), 1.0, x > 0.0);
}
