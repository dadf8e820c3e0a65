// softplus(x) = log(1 + e^(beta x)) / beta = max(x, 0) + log1p(e^-|beta x|) / beta.

fn act(x: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), 110.0 / p.x);
    // beta a as a sum of two numbers: an error of it counts as often as it is large.
    let beta_head = head_of(p.x);
    let head = head_of(a);
    let power = exponential(-beta_head * head, -(beta_head * (a - head) + (p.x - beta_head) * a));
    let rest = scaled(log1p_ratio(value_of(power)) / p.x, power);
    return select(x, 0.0, x < 0.0) + rest;
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return -expm1(not_below(-p.x * y, -110.0));
}
