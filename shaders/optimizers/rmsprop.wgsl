// RMSprop. PyTorch: g / (sqrt(v) + eps), momentum without the rate.
// Keras: g / sqrt(v + eps), the rate inside the momentum buffer.

@group(0) @binding(10) var<storage, read_write> moment0: array<vec4<f32>>; // mean of g^2
@group(0) @binding(11) var<storage, read_write> moment1: array<vec4<f32>>; // momentum
@group(0) @binding(12) var<storage, read_write> moment2: array<vec4<f32>>; // mean of g

fn opt_step(at: u32, w: vec4<f32>, g: vec4<f32>, settings: StepSettings, learning_rate: f32) -> vec4<f32> {
    let rho = settings.rho;
    var v = rho * moment0[at] + (1.0 - rho) * g * g;
    moment0[at] = v;
    if (CENTERED) {
        let mean = rho * moment2[at] + (1.0 - rho) * g;
        moment2[at] = mean;
        v = max(v - mean * mean, vec4<f32>());
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
