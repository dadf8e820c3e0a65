//! Kernels: the table, and beside each row its CPU twin of the same name, written to be read side
//! by side with the WGSL and generic over f32/f64, so that the f64 twin is the oracle.

/// The uniform of a kernel: the twin of the WGSL struct of the same name, with its members' names
/// and offsets, which a test holds to the shader's.
macro_rules! uniform {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$doc:meta])* pub $member:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub struct $name {
            $($(#[$doc])* pub $member: $type,)*
        }

        impl $name {
            /// Names and offsets of its members.
            pub const MEMBERS: &'static [(&'static str, usize)] =
                &[$((stringify!($member), std::mem::offset_of!($name, $member))),*];
        }
    };
}

pub mod adapt_weights;
pub mod adapter_gradient;
pub mod average_parameters;
pub mod clip_gradients;
pub mod dense_forward;
pub mod embedding;
pub mod embedding_gradient;
pub mod finish_step;
pub mod gradient_statistics;
pub mod input_gradient;
pub mod layer_gradient;
pub mod layer_output;
pub mod loss;
pub mod matrix_product;
pub mod max_norm;
pub mod muon_momentum;
pub mod muon_scale;
pub mod norm_factors;
pub mod normalize;
pub mod normalize_gradient;
pub mod optimizer_step;
pub mod partial_gradients;
mod real;
pub mod row_activation;
pub mod row_activation_gradient;
pub mod scale_gradient;
pub mod share_gradients;
pub mod slope_gradient;
pub mod update;
pub mod weight_gradient;
pub mod zero_gradients;

pub use real::Real;

use crate::program::{Half, LayerSettings, StepSettings};
use crate::random::threefry2x32;

macro_rules! kernels {
    ($($variant:ident $module:ident [$($output:literal),*] $doc:literal,)*) => {
        /// Every kernel.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kernel {
            $(#[doc = $doc] $variant,)*
        }

        impl Kernel {
            /// Every kernel, in the order of a step.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in files and messages.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($module),)*
                }
            }

            /// The name of its uniform's struct.
            pub fn uniform(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// The bindings of reals that it writes; a call may lack some.
            pub fn outputs(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &[$($output),*],)*
                }
            }
        }

        /// The uniform of a call: the twin of the WGSL struct of the same name.
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[allow(missing_docs)]
        // A plan has a few dozen, made once.
        #[allow(clippy::large_enum_variant)]
        pub enum Parameters {
            $($variant($module::$variant),)*
        }

        impl Parameters {
            /// The uniform of a kernel, all zeros.
            pub fn zeroed(kernel: Kernel) -> Self {
                match kernel {
                    $(Kernel::$variant => Self::$variant($module::$variant::default()),)*
                }
            }

            /// Names and offsets of the uniform's members, in their order.
            pub fn members(&self) -> &'static [(&'static str, usize)] {
                match self {
                    $(Self::$variant(_) => $module::$variant::MEMBERS,)*
                }
            }

            /// The bytes of the uniform.
            pub fn bytes(&self) -> &[u8] {
                match self {
                    $(Self::$variant(call) => bytemuck::bytes_of(call),)*
                }
            }
        }
    };
}

kernels! {
    AdaptWeights adapt_weights ["adapted"]
        "A head's weights out of those that all heads of a network share.",
    Embedding embedding ["output", "codes"]
        "The first layer's input: data values, and rows of learned tables in place of codes.",
    DenseForward dense_forward ["output", "pre_activation"]
        "output = dropout(act(input W^T + bias)).",
    Normalize normalize ["parameters", "statistics", "output"]
        "(x - mean) / sqrt(variance + epsilon) * scale + shift.",
    LayerOutput layer_output ["output"]
        "output = residual + dropout(act(input) + noise).",
    RowActivation row_activation ["output"]
        "An activation of whole rows.",
    Loss loss ["delta", "row_statistics", "collected"]
        "Loss, its gradient and the metrics' terms, a row at a time.",
    RowActivationGradient row_activation_gradient ["delta"]
        "The gradient before an activation of whole rows.",
    SlopeGradient slope_gradient ["gradients"]
        "The gradient of learned slopes.",
    LayerGradient layer_gradient ["delta", "residual_gradient"]
        "The gradient before a layer's activation.",
    ScaleGradient scale_gradient ["gradients"]
        "Gradients of a normalisation's scale and shift.",
    NormalizeGradient normalize_gradient ["delta"]
        "The gradient behind a normalisation.",
    WeightGradient weight_gradient ["gradients"]
        "dW = delta^T input; db = column sums of delta.",
    InputGradient input_gradient ["delta_below"]
        "delta_below = (delta W) * dropout mask * act'(below).",
    AdapterGradient adapter_gradient ["gradients"]
        "Gradients of what a head's inputs and sums are multiplied by.",
    ZeroGradients zero_gradients ["gradients"]
        "Begins the gradients of learned tables.",
    EmbeddingGradient embedding_gradient ["gradients"]
        "The gradient of learned tables, a sum for each code of the batch.",
    ShareGradients share_gradients ["gradients"]
        "One gradient of what the heads of a network share, at every head.",
    GradientStatistics gradient_statistics ["partials"]
        "Sums of squared gradients and of penalties, a block of 64 parameters at a time.",
    NormFactors norm_factors ["factors"]
        "Norms of groups of blocks, and the factors that are made of them.",
    ClipGradients clip_gradients ["gradients"]
        "Clips the gradient.",
    MuonMomentum muon_momentum ["moment0", "direction", "partials"]
        "Muon's momentum.",
    MuonScale muon_scale ["direction"]
        "Scales each of Muon's matrices to a norm of 1.",
    MatrixProduct matrix_product ["product"]
        "product = of_product left right + of_addend addend.",
    OptimizerStep optimizer_step ["parameters", "moment0", "moment1", "moment2"]
        "One optimizer step over the arena.",
    MaxNorm max_norm ["parameters"]
        "The max-norm constraint on each unit's weights.",
    AverageParameters average_parameters ["average"]
        "The running average of the weights.",
    PartialGradients partial_gradients ["partial_gradients", "step_log"]
        "Weight gradients of several layers by parts of the batch, and the end of the step.",
    Update update ["parameters", "moment0", "moment1", "moment2", "step_log"]
        "Weight gradients of several layers with the optimizer's step, and the end of the step.",
    FinishStep finish_step ["step_log"]
        "Sums the row statistics into the log and moves the member on.",
}

impl Kernel {
    /// The half of a step that it belongs to.
    pub fn half(self) -> Half {
        match self {
            Self::AdaptWeights
            | Self::Embedding
            | Self::DenseForward
            | Self::Normalize
            | Self::LayerOutput
            | Self::RowActivation
            | Self::Loss
            | Self::FinishStep => Half::Forward,
            _ => Half::Backward,
        }
    }

    /// Whether it makes the weight gradients of several layers, a matrix product each.
    pub fn is_grouped(self) -> bool {
        matches!(self, Self::Update | Self::PartialGradients)
    }

    /// Whether it is a matrix product, whose WGSL is an operand file and a tile file.
    pub fn is_matmul(self) -> bool {
        matches!(
            self,
            Self::DenseForward | Self::WeightGradient | Self::InputGradient | Self::MatrixProduct
        )
    }
}

/// What the kernels of a step share: the tables, and one member's place in them.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a, R> {
    /// The member.
    pub member: usize,
    /// The settings of the step it stands at.
    pub settings: StepSettings<R>,
    /// `order` of the data set, when rows are gathered.
    pub order: Option<&'a [u32]>,
    /// What a gradient of weights is multiplied by, of activations' gradients that are scaled.
    pub unscale: R,
}

impl<R: Real> Step<'_, R> {
    /// Twin of `input_row`.
    pub fn input_row(&self, order_stride: u32, row: usize) -> usize {
        match self.order {
            Some(order) => {
                order[self.member * order_stride as usize + self.settings.first_row as usize + row]
                    as usize
            }
            None => row,
        }
    }

    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        self.settings.rows as usize
    }
}

/// Twin of `dropout_scale` in `shaders/shared/dropout.wgsl`: 0 for a dropped element, else the
/// scale of a kept one.
#[inline(always)] // that masks are drawn in vectors
pub fn dropout_scale(layer: &LayerSettings, element: u32, batch: u32) -> f32 {
    if layer.drop_below == 0 {
        return 1.0;
    }
    let bits = threefry2x32([layer.key0, layer.key1], [element, batch])[0];
    if bits >> 8 < layer.drop_below { 0.0 } else { layer.keep_scale }
}
