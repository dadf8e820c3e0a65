//! selu(x) = SCALE x above 0, SCALE ALPHA (e^x - 1) below, with ALPHA = 1.67326... and SCALE =
//! 1.05070..., which keep mean 0 and variance 1 from layer to layer when weights start as
//! `lecun_normal` (Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.SELU`,
//! `keras.activations.selu`).
//!
//! The derivative is SCALE above 0, SCALE ALPHA e^x below and at 0.

use super::Formula;
use super::special::{not_below, scaled_exp};
use crate::kernels::Real;

pub(super) struct Variant;

const SCALE: f64 = 1.050_700_987_355_480_5;
const SCALE_ALPHA: f64 = 1.758_099_340_847_376_9;

impl Formula for Variant {
    fn act<R: Real>(x: R, _p: [R; 2]) -> R {
        if x > R::zero() { R::of(SCALE) * x } else { R::of(SCALE_ALPHA) * x.exp_m1() }
    }

    fn act_grad<R: Real>(x: R, _y: R, _p: [R; 2]) -> R {
        if x > R::zero() {
            R::of(SCALE)
        } else {
            scaled_exp(R::of(SCALE_ALPHA), not_below(x, -110.0), R::zero())
        }
    }
}
