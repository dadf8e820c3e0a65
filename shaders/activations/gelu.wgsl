// gelu(x) = x Phi(x), Phi the distribution function of the standard normal (the exact form).
// Phi(x) = erfc(-x / sqrt 2) / 2, with erfc by the Chebyshev fit of Numerical Recipes
// (fractional error below 1.2e-7 everywhere).

const SQRT_HALF = 0.70710678118654752;
const INV_SQRT_TWO_PI = 0.39894228040143268;

// Phi is 0 or 1 to f32 beyond this.
const GELU_FLAT = 14.0;

fn normal_cdf(x: f32) -> f32 {
    let z = abs(x) * SQRT_HALF;
    let t = 1.0 / (1.0 + 0.5 * z);
    let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
        + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
    let tail = 0.5 * t * exp(p - z * z);
    return select(tail, 1.0 - tail, x >= 0.0);
}

fn act(x: f32, p: vec2<f32>) -> f32 {
    return x * normal_cdf(clamp(x, -GELU_FLAT, GELU_FLAT));
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let c = clamp(x, -GELU_FLAT, GELU_FLAT);
    return normal_cdf(c) + c * INV_SQRT_TWO_PI * exp(-0.5 * c * c);
}
