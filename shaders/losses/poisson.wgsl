// Negative log-likelihood of a Poisson rate, without the target's own term: exp(z) - y z where the
// output is the rate's logarithm (`log_input`), else z - y log(z + epsilon).

fn element_loss(z: f32, y: f32) -> f32 {
    if (loss_parameters.x == 1.0) {
        return exp(z) - y * z;
    }
    return z - y * log(z + loss_parameters.y);
}

fn element_loss_grad(z: f32, y: f32) -> f32 {
    if (loss_parameters.x == 1.0) {
        return exp(z) - y;
    }
    return 1.0 - y / (z + loss_parameters.y);
}
