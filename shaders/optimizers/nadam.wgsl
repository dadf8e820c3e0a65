// NAdam (Dozat, 2016). coefficients: 1 - b2^t, the share of g, the share of m.

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // mean of g
@group(0) @binding(11) var<storage, read_write> moment1: array<Reals>; // mean of g^2

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    let m = moment0[at] + (1.0 - settings.beta1) * (g - moment0[at]);
    let v = moment1[at] + (1.0 - settings.beta2) * (g * g - moment1[at]);
    moment0[at] = m;
    moment1[at] = v;
    let direction = settings.coefficients.y * g + settings.coefficients.z * m;
    return w - learning_rate * direction / (sqrt(v / settings.coefficients.x) + settings.epsilon);
}
