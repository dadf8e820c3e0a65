//! Negative log-likelihood of a Poisson rate, without the target's own term: exp(z) - y z where the
//! output is the rate's logarithm (`log_input`), else z - y log(z + epsilon).
//!
//! Source: `torch.nn.PoissonNLLLoss` (log_input, epsilon 1e-8); `keras.losses.Poisson` (epsilon 1e-7).

use super::Elementwise;
use crate::kernels::Real;

pub(super) struct Variant;

impl Elementwise for Variant {
    fn loss<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        if p[0] == R::one() { z.exp() - y * z } else { z - y * (z + p[1]).ln() }
    }

    fn gradient<R: Real>(z: R, y: R, p: [R; 3]) -> R {
        if p[0] == R::one() { z.exp() - y } else { R::one() - y / (z + p[1]) }
    }
}
