// Adadelta (Zeiler, 2012).

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // mean of g^2
@group(0) @binding(11) var<storage, read_write> moment1: array<Reals>; // mean of squared steps

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    let rho = settings.rho;
    let v = rho * moment0[at] + (1.0 - rho) * g * g;
    moment0[at] = v;
    let u = moment1[at];
    let d = g * (sqrt(u + settings.epsilon) / sqrt(v + settings.epsilon));
    moment1[at] = rho * u + (1.0 - rho) * d * d;
    return w - learning_rate * d;
}
