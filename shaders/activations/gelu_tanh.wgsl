// gelu_tanh(x) = x (1 + tanh(u)) / 2 = x / (1 + e^-2u), 2u = x (K + C x^2),
// K = 2 sqrt(2 / pi), C = 0.044715 K.
//
// An error of 2u counts 90-fold in the lower tail, so 2u is made of two numbers: factors are
// split where 12 bits end, for their products to be exact.

const GELU_SLOPE = 1.5957691216057308;
const GELU_SLOPE_HIGH = 1.595703125;
const GELU_SLOPE_LOW = 6.5996605730758e-5;
const GELU_CUBIC = 0.071354816272600253;
const GELU_CUBIC_HIGH = 0.07135009765625;
const GELU_CUBIC_LOW = 4.7186163502531e-6;

// The value is 0 or x to f32 beyond this.
const GELU_FLAT = 11.0;

// e^-2u for 0 <= a <= GELU_FLAT.
fn gelu_power(a: f32) -> Exponential {
    let head = head_of(a);
    let square = head * head;
    let square_head = head_of(square);
    let square_rest = (square - square_head) + (a - head) * (a + head);
    let cubic = GELU_CUBIC_HIGH * square_head;
    let cubic_rest = GELU_CUBIC_HIGH * square_rest + GELU_CUBIC_LOW * (square_head + square_rest);
    let slope = head_of(GELU_SLOPE_HIGH + cubic);
    let slope_rest = ((GELU_SLOPE_HIGH - slope) + cubic) + (GELU_SLOPE_LOW + cubic_rest);
    return exponential(-head * slope, -((a - head) * slope + a * slope_rest));
}

fn act(x: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), GELU_FLAT);
    let power = gelu_power(a);
    return select(x, scaled(-a, power), x < 0.0) / (1.0 + value_of(power));
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let a = not_above(abs(x), GELU_FLAT);
    let power = gelu_power(a);
    let e = value_of(power);
    let s = 1.0 / (1.0 + e);
    // 1 - s
    let t = e / (1.0 + e);
    let slope = a * (GELU_SLOPE + 3.0 * GELU_CUBIC * a * a);
    let below = scaled(((1.0 - slope) + slope * t) / (1.0 + e), power);
    return select(s * (1.0 + slope * e * s), below, x < 0.0);
}
