//! Scalings of numbers, fitted.

use serde::{Deserialize, Serialize};

use super::quantiles::Quantiles;

/// The constants of an affine scaling: `(x - shift) / scale`, in f64.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What is taken away: a mean, a median or a minimum, in the column's units.
    pub shift: f64,
    /// What is divided by: a standard deviation or some range, above 0, in the column's units.
    pub scale: f64,
}

impl Scale {
    /// Leaves values as they are.
    pub const IDENTITY: Self = Self { shift: 0.0, scale: 1.0 };

    /// The scaled value, computed in f64 and rounded once.
    pub fn apply(self, value: f64) -> f32 {
        self.wide(value) as f32
    }

    pub(super) fn wide(self, value: f64) -> f64 {
        (value - self.shift) / self.scale
    }

    fn invert(self, scaled: f64) -> f64 {
        scaled * self.scale + self.shift
    }

    pub(in crate::data) fn is_sound(self) -> bool {
        self.shift.is_finite() && self.scale.is_finite() && self.scale > 0.0
    }
}

/// How numbers of a column are scaled, with the constants fitted on the training rows. All of it is
/// computed in f64 and rounded once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scaler {
    /// `(x - shift) / scale`.
    Affine(Scale),
    /// `(log(1 + x) - shift) / scale`. A number below 0 counts as 0: training had none.
    Log1p(Scale),
    /// `z / sqrt(1 + (z / 3)^2)` with `z = (x - shift) / scale`: as z near 0, and never past 3
    /// (Holzmüller, Grinsztajn, Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted
    /// Trees on Tabular Data", NeurIPS 2024, section 3).
    SmoothClip(Scale),
    /// The quantile of a normal distribution that is the number's among those of training.
    Quantile(Quantiles),
}

/// Where a smooth clip ends.
pub(crate) const SMOOTH_CLIP: f64 = 3.0;

impl Scaler {
    /// The scaled value.
    pub fn apply(&self, value: f64) -> f32 {
        match self {
            Self::Affine(scale) => scale.apply(value),
            // `max` would make 0 of NaN.
            Self::Log1p(scale) if value < 0.0 => scale.apply(0.0),
            Self::Log1p(scale) => scale.apply(libm::log1p(value)),
            Self::SmoothClip(scale) => {
                let z = scale.wide(value);
                // As a hypotenuse it does not overflow.
                (z / (z / SMOOTH_CLIP).hypot(1.0)) as f32
            }
            Self::Quantile(quantiles) => quantiles.apply(value),
        }
    }

    /// The value that scales to this one, in the column's units, and what a step of 1 of the scaled
    /// value amounts to there.
    pub(super) fn invert(&self, scaled: f32) -> (f64, f64) {
        let wide = f64::from(scaled);
        match self {
            Self::Affine(scale) => (scale.invert(wide), scale.scale),
            Self::Log1p(scale) => {
                let value = libm::expm1(scale.invert(wide));
                (value, (1.0 + value) * scale.scale)
            }
            Self::SmoothClip(scale) => {
                let share = (1.0 - (wide / SMOOTH_CLIP).powi(2)).max(1e-7);
                (scale.invert(wide / share.sqrt()), scale.scale / (share * share.sqrt()))
            }
            Self::Quantile(quantiles) => {
                let value = quantiles.invert(wide);
                let step = 1e-3;
                let around = quantiles.invert(wide + step) - quantiles.invert(wide - step);
                (value, around / (2.0 * step))
            }
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Affine(scale) | Self::Log1p(scale) | Self::SmoothClip(scale) => scale.is_sound(),
            Self::Quantile(quantiles) => quantiles.is_sound(),
        }
    }
}
