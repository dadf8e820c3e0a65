//! Layer normalisation: each row by the mean and variance of its units.
//!
//! scale (x - mean) / sqrt(variance + epsilon) + shift. Epsilon 1e-5 (PyTorch) or 1e-3 (Keras).
//!
//! Source: Ba, Kiros and Hinton, "Layer normalization", 2016; `torch.nn.LayerNorm`;
//! `keras.layers.LayerNormalization`.

use crate::catalog::parameter::Parameter;

pub(super) const BY_COLUMN: bool = false;
pub(super) const CENTERED: bool = true;
pub(super) const HAS_SHIFT: bool = true;

pub(super) const PARAMETERS: &[Parameter] = &[super::epsilon(1e-5, 1e-3)];
