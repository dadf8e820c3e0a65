// silu(x) = x sigmoid(x)

fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn act(x: f32, p: vec2<f32>) -> f32 {
    return x * sigmoid(x);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let s = sigmoid(x);
    return s * (1.0 + x * (1.0 - s));
}
