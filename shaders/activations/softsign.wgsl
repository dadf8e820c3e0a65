// softsign(x) = x / (1 + |x|)

// 1 / (1 + |x|) is 1 / |x| to f32 long before this, and its square 0.
const SOFTSIGN_FLAT = 1e20;

fn softsign_size(x: f32) -> f32 {
    return select(abs(x), SOFTSIGN_FLAT, abs(x) > SOFTSIGN_FLAT);
}

fn act(x: f32, p: vec2<f32>) -> f32 {
    let a = softsign_size(x);
    let y = a / (1.0 + a);
    return select(y, -y, x < 0.0);
}

fn act_grad(x: f32, y: f32, p: vec2<f32>) -> f32 {
    let r = 1.0 / (1.0 + softsign_size(x));
    return r * r;
}
