// log_sigmoid(x) = log(1 / (1 + e^-x)) = min(x, 0) - log1p(e^-|x|). The derivative is 1 - e^y.

fn act(x: f32, p: vec2<f32>) -> f32 {
    let power = exponential(-not_above(abs(x), 110.0), 0.0);
    return select(x, 0.0, x > 0.0) - scaled(log1p_ratio(value_of(power)), power);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return -expm1(not_below(y, -110.0));
}
