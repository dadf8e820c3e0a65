// Adamax (Kingma and Ba, 2015, section 7.1). PyTorch: u = max(b2 u, |g| + eps), lr m^ / u.
// Keras: u = max(b2 u, |g|), lr m^ / (u + eps). coefficients: 1 - b1^t.

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // mean of g
@group(0) @binding(11) var<storage, read_write> moment1: array<Reals>; // infinity norm

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    let m = moment0[at] + (1.0 - settings.beta1) * (g - moment0[at]);
    moment0[at] = m;
    let rate = learning_rate / settings.coefficients.x;
    if (KERAS) {
        let u = max(settings.beta2 * moment1[at], abs(g));
        moment1[at] = u;
        return w - rate * m / (u + settings.epsilon);
    }
    let u = max(settings.beta2 * moment1[at], abs(g) + settings.epsilon);
    moment1[at] = u;
    return w - rate * m / u;
}
