// The standard normal distribution: density phi, and hazard h(a) = phi(a) / Phi(-a).
// Needs shared/exp.wgsl. Twins: Real::normal_hazard and catalog::activation::special.

// For a in [0, 15], within 2.5 ulp: a + P/Q, a minimax fit of relative error 1e-8 in 1/h.
fn normal_hazard(a: f32) -> f32 {
    let p = (((3.08618082596e-3 * a + 3.45295765821e-2) * a + 1.83214369495e-1) * a
        + 5.33878165160e-1) * a + 7.97884568409e-1;
    let q = ((((3.08608088651e-3 * a + 3.45354528389e-2) * a + 1.89236751151e-1) * a
        + 6.05152479797e-1) * a + 1.12454717318) * a + 1.0;
    return a + p / q;
}

// e^(-a^2 / 2): the error of a^2 / 2 counts as often as it is large, so what rounding would take
// goes to the tail.
fn gaussian(a: f32) -> Exponential {
    let head = head_of(a);
    return exponential(-0.5 * head * head, -0.5 * (a - head) * (a + head));
}
