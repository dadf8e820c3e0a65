// selu(x) = SCALE x above 0, SCALE ALPHA (e^x - 1) below.

const SELU_SCALE = 1.0507009873554804934193349852946;
const SELU_SCALE_ALPHA = 1.7580993408473768599402175208123;

fn act(x: f32, p: vec2<f32>) -> f32 {
    return select(SELU_SCALE_ALPHA * expm1(not_below(x, -110.0)), SELU_SCALE * x, x > 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let below = scaled(SELU_SCALE_ALPHA, exponential(not_below(x, -110.0), 0.0));
    return select(below, SELU_SCALE, x > 0.0);
}
