//! Muon: momentum whose weight matrices are orthogonalised before the step.
//!
//! B = mu B + (1 - mu) G (Keras: mu B + G), with Nesterov (1 - mu) G + mu B (Keras: G + mu B);
//! X = B / |B|, then `ns_steps` times A = X X^T, X = a X + (b A + c A^2) X with (a, b, c) =
//! (3.4445, -4.775, 2.0315); w -= lr scale X. The scale is sqrt(max(1, rows / columns))
//! (`"adjust": "original"`, torch's default) or 0.2 sqrt(max(rows, columns)) (`"match_rms_adamw"`,
//! Keras' default), sqrt(rows / columns) (`"spectral_unclamped"`) or 1 (`"none"`). The matrices are the hidden layers' weights (torch) or every layer's (Keras);
//! AdamW, whose formula this file's is, takes the rest.
//!
//! The orthogonalisation is in `kernels::muon_momentum` and `kernels::matrix_product`. PyTorch
//! rounds X to bfloat16; here it stays in f32.
//!
//! Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et
//! al., "Muon is scalable for LLM training", 2025; `torch.optim.Muon`; `keras.optimizers.Muon`.

use crate::catalog::parameter::{Parameter, Range};

pub(super) use super::adam::{Variant, coefficients, initial};

/// What an orthogonal matrix of a step is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjust {
    /// sqrt(max(1, rows / columns)): torch's default.
    Original,
    /// 0.2 sqrt(max(rows, columns)): Keras' default.
    MatchRmsAdamw,
    /// sqrt(rows / columns).
    SpectralUnclamped,
    /// 1: Keras' `rms_rate=None`.
    None,
}

impl Adjust {
    /// Names in the config, in the order of [`Adjust::ALL`].
    pub const NAMES: &'static [&'static str] =
        &["original", "match_rms_adamw", "spectral_unclamped", "none"];

    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::Original, Self::MatchRmsAdamw, Self::SpectralUnclamped, Self::None];

    /// Its name in the config.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The factor of a matrix.
    pub fn scale(self, rows: usize, columns: usize) -> f64 {
        let (rows, columns) = (rows as f64, columns as f64);
        match self {
            Self::Original => (rows / columns).max(1.0).sqrt(),
            Self::MatchRmsAdamw => 0.2 * rows.max(columns).sqrt(),
            Self::SpectralUnclamped => (rows / columns).sqrt(),
            Self::None => 1.0,
        }
    }
}

/// The polynomial of the Newton-Schulz step.
pub const NEWTON_SCHULZ: [f64; 3] = [3.4445, -4.775, 2.0315];

pub(super) const FLAGS: &[super::Flag] = &["nesterov"];

pub(super) const PARAMETERS: &[Parameter] = &[
    super::learning_rate(1e-3, 1e-3),
    super::weight_decay(0.1, 0.004),
    super::momentum(0.95),
    Parameter::new("ns_steps", 5.0, Range::Count, "Newton-Schulz steps"),
    super::epsilon(1e-7, 1e-7),
    super::beta1(0.9),
    super::beta2(0.999),
    Parameter::new(
        "adam_learning_rate",
        0.0,
        Range::NotNegative,
        "learning rate of the tensors left to AdamW; 0: learning_rate",
    ),
    Parameter::new(
        "adam_weight_decay",
        0.01,
        Range::NotNegative,
        "decoupled weight decay of the tensors left to AdamW",
    )
    .keras(0.004),
    Parameter::new("adam_epsilon", 1e-8, Range::Positive, "epsilon of the tensors left to AdamW")
        .keras(1e-7),
];
