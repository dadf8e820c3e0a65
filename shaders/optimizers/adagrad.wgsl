// Adagrad (Duchi et al., 2011). PyTorch: g / (sqrt(s) + eps); Keras: g / sqrt(s + eps).
// coefficients: the factor of the falling learning rate.

@group(0) @binding(10) var<storage, read_write> moment0: array<vec4<f32>>; // sum of g^2

fn opt_step(at: u32, w: vec4<f32>, g: vec4<f32>, settings: StepSettings, learning_rate: f32) -> vec4<f32> {
    let s = moment0[at] + g * g;
    moment0[at] = s;
    let rate = learning_rate * settings.coefficients.x;
    if (KERAS) {
        return w - rate * g / sqrt(s + settings.epsilon);
    }
    return w - rate * g / (sqrt(s) + settings.epsilon);
}
