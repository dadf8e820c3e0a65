// tanh, by an odd polynomial near 0 (Cephes, tanhf) and by exp elsewhere: the built-in may be NaN
// for large arguments and loses all digits near 0 where a driver takes sinh/cosh.

fn act(x: f32, p: vec2<f32>) -> f32 {
    let size = abs(x);
    if (size < 0.625) {
        let z = x * x;
        let p = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z
            + 1.33314422036e-1) * z - 3.33332819422e-1;
        return x + x * z * p;
    }
    let e = value_of(exponential(not_below(-2.0 * size, -110.0), 0.0));
    let t = 1.0 - 2.0 * e / (1.0 + e);
    return select(t, -t, x < 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    return (1.0 - y) * (1.0 + y);
}
