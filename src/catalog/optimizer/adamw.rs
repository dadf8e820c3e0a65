//! AdamW: Adam with decoupled weight decay.
//!
//! lr weight_decay w comes off before Adam's step. PyTorch decays by 0.01, Keras by 0.004. Weights
//! alone decay unless `decay_biases` is on; both libraries decay biases too.
//!
//! Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019;
//! `torch.optim.AdamW`; `keras.optimizers.AdamW`.

use crate::catalog::parameter::Parameter;

pub(super) use super::adam::{FLAGS, Variant, coefficients, initial};

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1e-3, 1e-3),
    super::weight_decay(0.01, 0.004),
    super::beta1(0.9),
    super::beta2(0.999),
    super::epsilon(1e-8, 1e-7),
];
