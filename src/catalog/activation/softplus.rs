//! softplus(x) = log(1 + e^(beta x)) / beta, as max(x, 0) + log1p(e^-|beta x|) / beta, which neither
//! overflows nor loses the lower tail (Dugas et al., 2000; `torch.nn.Softplus`,
//! `keras.activations.softplus`).
//!
//! The derivative is sigmoid(beta x), here of the output y: 1 - e^(-beta y), which keeps its digits
//! in both tails.
//!
//! PyTorch returns x itself where beta x > 20 (`threshold`), which changes the value by less than
//! 2.1e-9 / beta; Keras has neither `beta` nor `threshold`.

use super::Formula;
use super::special::scaled_exp;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(x: R, [beta, _]: [R; 2]) -> R {
        let (product, left) = if beta * x.abs() > R::of(110.0) {
            (R::of(110.0), R::zero())
        } else {
            let product = beta * x.abs();
            // What the product left: its error counts |product|-fold.
            (product, beta.mul_add(x.abs(), -product))
        };
        let e = (-product).exp();
        let ratio = if e > R::zero() { e.ln_1p() / e } else { R::one() };
        let rest = scaled_exp(ratio / beta, -product, -left);
        if x < R::zero() { rest } else { x + rest }
    }

    fn act_grad<R: Real>(_x: R, y: R, [beta, _]: [R; 2]) -> R {
        -(-beta * y).exp_m1()
    }
}
