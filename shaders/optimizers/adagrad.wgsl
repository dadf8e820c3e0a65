// Adagrad (Duchi et al., 2011). PyTorch: g / (sqrt(s) + eps); Keras: g / sqrt(s + eps).
// coefficients: the factor of the falling learning rate.

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // sum of g^2

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    let s = moment0[at] + g * g;
    moment0[at] = s;
    let rate = learning_rate * settings.coefficients.x;
    if (KERAS) {
        return w - rate * g / sqrt(s + settings.epsilon);
    }
    return w - rate * g / (sqrt(s) + settings.epsilon);
}
