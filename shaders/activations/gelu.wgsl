// gelu(x) = x Phi(x), Phi the distribution function of the standard normal (the exact form).
// Phi(-a) = phi(a) / h(a), so the lower tail keeps its digits.

const INV_SQRT_TWO_PI = 0.39894228040143268;

// Phi is 0 or 1 to f32 beyond this.
const GELU_FLAT = 15.0;

fn act(x: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), GELU_FLAT);
    let factor = INV_SQRT_TWO_PI / normal_hazard(a);
    let tail = scaled(select(factor, -a * factor, x < 0.0), gaussian(a));
    return select(x * (1.0 - tail), tail, x < 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), GELU_FLAT);
    let tail = scaled((1.0 / normal_hazard(a) - a) * INV_SQRT_TWO_PI, gaussian(a));
    return select(1.0 - tail, tail, x < 0.0);
}
