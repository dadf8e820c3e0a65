// Adam (Kingma and Ba, 2015); AdamW is Adam with decoupled decay, which optimizer_step takes off.
// PyTorch: lr mhat / (sqrt(vhat) + eps).
// Keras: lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps).
// AMSGrad divides by the largest v so far. coefficients: 1 - b1^t, 1 - b2^t.

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // mean of g
@group(0) @binding(11) var<storage, read_write> moment1: array<Reals>; // mean of g^2
@group(0) @binding(12) var<storage, read_write> moment2: array<Reals>; // largest mean of g^2

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    let m = moment0[at] + (1.0 - settings.beta1) * (g - moment0[at]);
    var v = moment1[at] + (1.0 - settings.beta2) * (g * g - moment1[at]);
    moment0[at] = m;
    moment1[at] = v;
    if (AMSGRAD) {
        v = max(v, moment2[at]);
        moment2[at] = v;
    }
    let rate = learning_rate / settings.coefficients.x;
    if (KERAS) {
        return w - rate * sqrt(settings.coefficients.y) * m / (sqrt(v) + settings.epsilon);
    }
    return w - rate * m / (sqrt(v / settings.coefficients.y) + settings.epsilon);
}
