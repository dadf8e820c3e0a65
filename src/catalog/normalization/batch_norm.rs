//! Batch normalisation: each unit by its mean and variance over the batch.
//!
//! scale (x - mean) / sqrt(variance + epsilon) + shift. Evaluation takes running statistics. PyTorch:
//! epsilon 1e-5, momentum 0.1 (the share of the batch), running variance of a sample (n - 1). Keras:
//! epsilon 1e-3, momentum 0.99 (the share of what was there before), running variance of the batch.
//!
//! Source: Ioffe and Szegedy, "Batch normalization", 2015; `torch.nn.BatchNorm1d`;
//! `keras.layers.BatchNormalization`.

use crate::catalog::parameter::Parameter;

pub(super) const BY_COLUMN: bool = true;
pub(super) const CENTERED: bool = true;
pub(super) const HAS_SHIFT: bool = true;

pub(super) const PARAMETERS: &[Parameter] = &[
    super::epsilon(1e-5, 1e-3),
    Parameter::new("momentum", 0.1, super::Range::Between0And1, "of the running statistics")
        .keras(0.99),
];
