// RMSprop. PyTorch: g / (sqrt(v) + eps), momentum without the rate.
// Keras: g / sqrt(v + eps), the rate inside the momentum buffer.

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // mean of g^2
@group(0) @binding(11) var<storage, read_write> moment1: array<Reals>; // momentum
@group(0) @binding(12) var<storage, read_write> moment2: array<Reals>; // mean of g

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    let rho = settings.rho;
    var v = rho * moment0[at] + (1.0 - rho) * g * g;
    moment0[at] = v;
    if (CENTERED) {
        let mean = rho * moment2[at] + (1.0 - rho) * g;
        moment2[at] = mean;
        v = max(v - mean * mean, Reals());
    }
    var increment = g;
    if (KERAS) {
        increment = learning_rate * g / sqrt(v + settings.epsilon);
        if (WITH_MOMENTUM) {
            increment += settings.momentum * moment1[at];
            moment1[at] = increment;
        }
        return w - increment;
    }
    increment = g / (sqrt(v) + settings.epsilon);
    if (WITH_MOMENTUM) {
        increment += settings.momentum * moment1[at];
        moment1[at] = increment;
    }
    return w - learning_rate * increment;
}
