// Lion (Chen et al., 2023).

@group(0) @binding(10) var<storage, read_write> moment0: array<vec4<f32>>; // mean of g

fn opt_step(at: u32, w: vec4<f32>, g: vec4<f32>, settings: StepSettings, learning_rate: f32) -> vec4<f32> {
    let m = moment0[at];
    let direction = settings.beta1 * m + (1.0 - settings.beta1) * g;
    moment0[at] = settings.beta2 * m + (1.0 - settings.beta2) * g;
    return w - learning_rate * sign(direction);
}
