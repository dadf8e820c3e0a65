// Lion (Chen et al., 2023).

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // mean of g

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    let m = moment0[at];
    let direction = settings.beta1 * m + (1.0 - settings.beta1) * g;
    moment0[at] = settings.beta2 * m + (1.0 - settings.beta2) * g;
    return w - learning_rate * sign(direction);
}
