// prelu(x) = x for x >= 0, slope x below, with a slope that is learned. The derivative at 0 is the
// slope, as in PyTorch.

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(x, p.x * x, x < 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return select(p.x, 1.0, x > 0.0);
}
