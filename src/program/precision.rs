//! What data sets, activations and their gradients are stored in.

use half::f16;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BufferSpec, Call, Contents};
use crate::kernels::{Kernel, Parameters};

/// What data sets, activations and their gradients are stored in. Parameters, the optimizer's
/// moments, losses, statistics and all sums are f32 in either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits (IEEE 754 binary16), with the gradient scaled by a [`super::LossScale`].
    F16,
}

impl Precision {
    /// Its name in configs and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// What a buffer of such values holds.
    pub fn contents(self) -> Contents {
        match self {
            Self::F32 => Contents::Reals,
            Self::F16 => Contents::Halves,
        }
    }

    /// 32-bit words of so many values.
    pub fn words(self, values: usize) -> usize {
        match self {
            Self::F32 => values,
            Self::F16 => values.div_ceil(2),
        }
    }
}

impl Contents {
    /// Bytes of an element: of a real, a word, or a row of a table.
    pub fn element_bytes(self) -> u64 {
        match self {
            Self::Reals | Self::Words => 4,
            Self::Halves => 2,
            Self::Steps => super::STEP_WORDS as u64 * 4,
            Self::Layers => super::LAYER_WORDS as u64 * 4,
            Self::State | Self::Scales => 16,
        }
    }
}

impl BufferSpec {
    /// Elements that it has room for. Of an odd number of halves it is one more.
    pub fn elements(&self) -> usize {
        (self.words * 4 / self.contents.element_bytes()) as usize
    }
}

/// Where rounding to f16 overflows: half-way between its largest number, 65504, and the next power
/// of two.
const OVERFLOW: f64 = 65520.0;

/// Whether a number is stored in f16 as infinity, or is none.
pub fn overflows_f16(x: f64) -> bool {
    x.is_nan() || x.abs() >= OVERFLOW
}

/// The f16 nearest to a number, the even one of two; past 65504 infinity.
pub fn rounded_to_f16(x: f64) -> f64 {
    f16::from_f64(x).to_f64()
}

impl Call {
    /// How many of the values of [`Kernel::STORED`] one member's call reads and writes, with `batch`
    /// rows a batch; counted as its cost is.
    pub(super) fn stored_values(&self, batch: u64) -> [u64; 2] {
        let binds = |name: &str| u64::from(self.buffer(name).is_some());
        let of = |width: u32| batch * u64::from(width);
        match &self.parameters {
            Parameters::DenseForward(call) => {
                [of(call.inputs), of(call.outputs) * (1 + binds("pre_activation"))]
            }
            Parameters::Embedding(call) => [of(call.data_values()), of(call.inputs)],
            Parameters::EmbeddingGradient(call) => {
                [call.columns().iter().map(|own| of(own.size)).sum(), 0]
            }
            Parameters::WeightGradient(call) => [of(call.inputs) + of(call.outputs), 0],
            Parameters::InputGradient(call) => {
                let kept = binds("below").max(binds("pre_activation")) + binds("residual_gradient");
                [of(call.outputs) + kept * of(call.inputs), of(call.inputs)]
            }
            Parameters::Normalize(call) => [of(call.units); 2],
            Parameters::LayerOutput(call) => {
                [(1 + binds("residual")) * of(call.units), of(call.units)]
            }
            Parameters::RowActivation(call) => [of(call.units); 2],
            Parameters::Loss(call) => {
                [of(call.outputs), u64::from(call.training == 1) * of(call.outputs)]
            }
            Parameters::RowActivationGradient(call) => [2 * of(call.units), of(call.units)],
            Parameters::SlopeGradient(call) => [2 * of(call.units), 0],
            Parameters::LayerGradient(call) => {
                [2 * of(call.units), (1 + binds("residual_gradient")) * of(call.units)]
            }
            Parameters::ScaleGradient(call) => [2 * of(call.units), 0],
            Parameters::NormalizeGradient(call) => [2 * of(call.units), of(call.units)],
            Parameters::Update(call) => {
                [call.layers().iter().map(|layer| of(layer.inputs) + of(layer.units)).sum(), 0]
            }
            _ => [0, 0],
        }
    }
}

impl Kernel {
    /// Bindings, of any kernel, of what is stored in the plan's [`Precision`].
    pub const STORED: &'static [&'static str] = &[
        "features",
        "input",
        "output",
        "pre_activation",
        "residual",
        "logits",
        "delta",
        "delta_below",
        "below",
        "residual_gradient",
        "even",
        "odd",
    ];

    /// Whether it works on a gradient that is multiplied by the loss scale, or with what comes of
    /// it.
    pub fn meets_loss_scale(self) -> bool {
        match self {
            Self::AdaptWeights
            | Self::Embedding
            | Self::DenseForward
            | Self::Normalize
            | Self::LayerOutput
            | Self::RowActivation => false,
            // Sums what is there, finite or not.
            Self::GradientStatistics => false,
            Self::ZeroGradients | Self::AdapterGradient | Self::ShareGradients => false,
            _ => true,
        }
    }

    /// Whether it follows the gradient: it leaves a step alone whose gradient overflowed.
    pub fn follows_gradient(self) -> bool {
        matches!(
            self,
            Self::NormFactors
                | Self::ClipGradients
                | Self::MuonMomentum
                | Self::MuonScale
                | Self::MatrixProduct
                | Self::OptimizerStep
                | Self::MaxNorm
                | Self::AverageParameters
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounds_to_infinity_overflows() {
        for x in [0.0, 65504.0, -65504.0, 65519.99] {
            assert!(!overflows_f16(x) && rounded_to_f16(x).is_finite(), "{x}");
        }
        for x in [65520.0, -65520.0, 1e9, f64::INFINITY, f64::NAN] {
            assert!(overflows_f16(x) && !rounded_to_f16(x).is_finite(), "{x}");
        }
        // Half-way between two neighbours: to the even one.
        assert_eq!(rounded_to_f16(1.0 + 2_f64.powi(-11)), 1.0);
        assert_eq!(rounded_to_f16(1.0 + 3.0 * 2_f64.powi(-11)), 1.0 + 2_f64.powi(-9));
    }

    #[test]
    fn halves_lie_two_to_a_word() {
        let spec =
            |contents, words| BufferSpec { name: String::new(), contents, words, part_of: None };
        assert_eq!([5, 6].map(|n| Precision::F16.words(n)), [3, 3]);
        assert_eq!(spec(Contents::Halves, 3).elements(), 6);
        assert_eq!(spec(Contents::Reals, 3).elements(), 3);
        assert_eq!(spec(Contents::State, 12).elements(), 3);
    }
}
