// Stochastic gradient descent, with momentum and Nesterov's form of it.
// PyTorch: v = mu v + (1 - dampening) g, at first v = g; w -= lr v.
// Keras: the rate is inside the buffer, v = mu v - lr g; w += v.

@group(0) @binding(10) var<storage, read_write> moment0: array<Reals>; // velocity

fn opt_step(at: u32, w: Reals, g: Reals, settings: StepSettings, learning_rate: f32) -> Reals {
    if (!WITH_MOMENTUM) {
        return w - learning_rate * g;
    }
    let mu = settings.momentum;
    if (KERAS) {
        let v = mu * moment0[at] - learning_rate * g;
        moment0[at] = v;
        return w + select(v, mu * v - learning_rate * g, NESTEROV);
    }
    var v = g;
    if (settings.step > 1u) {
        v = mu * moment0[at] + (1.0 - settings.dampening) * g;
    }
    moment0[at] = v;
    return w - learning_rate * select(v, g + mu * v, NESTEROV);
}
