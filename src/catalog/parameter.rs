//! A number that a variant takes from the config: validation, the schema, the resolved config and
//! the printed catalogue all come out of it.

use super::optimizer::Convention;

/// Which numbers a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Any that 32 bits can hold.
    Finite,
    /// 0 or more.
    NotNegative,
    /// Above 0.
    Positive,
    /// [0, 1).
    BelowOne,
    /// (0, 1).
    Between0And1,
    /// [0, 1].
    Share,
    /// (0, 1].
    PositiveShare,
    /// 1 or more.
    FromOne,
    /// Above 1.
    AboveOne,
    /// A whole number from 1 on.
    Count,
    /// true or false, held as 1 or 0.
    Flag,
}

impl Range {
    /// Whether a number, rounded to f32 or not, is in the range.
    pub fn fits(self, value: f64) -> bool {
        let inside = |x: f64| match self {
            Self::Finite => true,
            Self::NotNegative => x >= 0.0,
            Self::Positive => x > 0.0,
            Self::BelowOne => (0.0..1.0).contains(&x),
            Self::Between0And1 => x > 0.0 && x < 1.0,
            Self::Share => (0.0..=1.0).contains(&x),
            Self::PositiveShare => x > 0.0 && x <= 1.0,
            Self::FromOne => x >= 1.0,
            Self::AboveOne => x > 1.0,
            Self::Count => x >= 1.0 && x.fract() == 0.0 && x <= f64::from(u32::MAX),
            Self::Flag => x == 0.0 || x == 1.0,
        };
        // The device works in f32, where 1 - 1e-9 is 1: the range must hold there too.
        let single = f64::from(value as f32);
        single.is_finite() && inside(value) && (inside(single) || self == Self::Count)
    }

    /// The range in words, for messages and tables.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Finite => "a number that 32 bits can hold",
            Self::NotNegative => "a number, 0 or more",
            Self::Positive => "a number above 0",
            Self::BelowOne => "a number in [0, 1)",
            Self::Between0And1 => "a number in (0, 1)",
            Self::Share => "a number in [0, 1]",
            Self::PositiveShare => "a number in (0, 1]",
            Self::FromOne => "a number, 1 or more",
            Self::AboveOne => "a number above 1",
            Self::Count => "a whole number from 1 to 4294967295",
            Self::Flag => "true or false",
        }
    }
}

/// A number that a variant takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its key in the config.
    pub name: &'static str,
    /// Its default, in PyTorch's convention.
    pub torch: f64,
    /// Its default, in Keras' convention.
    pub keras: f64,
    /// Which numbers it takes.
    pub range: Range,
    /// What it is.
    pub description: &'static str,
    /// Whether it must be above the parameter before it.
    pub above_previous: bool,
}

impl Parameter {
    /// A parameter with one default in both conventions.
    pub const fn new(
        name: &'static str,
        default: f64,
        range: Range,
        description: &'static str,
    ) -> Self {
        Self { name, torch: default, keras: default, range, description, above_previous: false }
    }

    /// The parameter with another default in Keras' convention.
    pub const fn keras(self, default: f64) -> Self {
        Self { keras: default, ..self }
    }

    /// The parameter, which must be above the one before it.
    pub const fn above_previous(self) -> Self {
        Self { above_previous: true, ..self }
    }

    /// The default in a convention.
    pub fn default(&self, convention: Convention) -> f64 {
        match convention {
            Convention::Torch => self.torch,
            Convention::Keras => self.keras,
        }
    }
}
