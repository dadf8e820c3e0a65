// Negative log-likelihood of a Poisson rate, without the target's own term: exp(z) - y z where the
// output is the rate's logarithm (`log_input`), else z - y log(z + epsilon).

fn element_loss(z: f32, y: f32) -> f32 {
    if (call.parameter0 == 1.0) {
        return exp(z) - y * z;
    }
    return z - y * log(z + call.parameter1);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    if (call.parameter0 == 1.0) {
        return exp(z) - y;
    }
    return 1.0 - y / (z + call.parameter1);
}
