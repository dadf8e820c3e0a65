//! gelu(x) = x Phi(x), Phi the distribution function of the standard normal: the exact form
//! (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016; `torch.nn.GELU()`).
//!
//! Phi(-a) = phi(a) / h(a), with the density phi and the hazard h, so that the lower tail keeps its
//! digits: Phi(x) by erf would lose them all below -5. The derivative is Phi(x) + x phi(x), below 0
//! phi(a) (1 / h(a) - a), a = -x.
//!
//! PyTorch and Keras agree on the formula; `keras.activations.gelu` takes [`super::gelu_tanh`] when
//! asked to approximate.

use super::Formula;
use super::special::{normal_density, not_above};
use crate::kernels::Real;

pub(super) struct Variant;

/// Phi is 0 or 1 to f32 beyond this.
const FLAT: f64 = 15.0;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        let a = not_above(x.abs(), FLAT);
        let h = a.normal_hazard();
        if x < R::zero() {
            normal_density(-a / h, a)
        } else {
            x * (R::one() - normal_density(h.recip(), a))
        }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        let a = not_above(x.abs(), FLAT);
        let tail = normal_density(a.normal_hazard().recip() - a, a);
        if x < R::zero() { tail } else { R::one() - tail }
    }
}
