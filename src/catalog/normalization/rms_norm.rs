//! RMS normalisation: each row by the root mean square of its units.
//!
//! scale x / sqrt(mean of x^2 + epsilon). Epsilon 2^-23 (PyTorch, that of f32) or 1e-6 (Keras).
//!
//! Source: Zhang and Sennrich, "Root mean square layer normalization", 2019; `torch.nn.RMSNorm`;
//! `keras.layers.RMSNormalization`.

use crate::catalog::parameter::Parameter;

pub(super) const BY_COLUMN: bool = false;
pub(super) const CENTERED: bool = false;
pub(super) const HAS_SHIFT: bool = false;

pub(super) const PARAMETERS: &[Parameter] = &[super::epsilon(1.1920928955078125e-7, 1e-6)];
