//! A program: what one training step or one evaluation step does, as a list of kernel calls over
//! named buffers. Pure data: every backend runs the same list, `--explain` and tests read it.

mod backward;
mod builder;
mod cost;
mod embedding;
mod forward;
mod fused;
mod loss_scale;
mod muon;
mod plan;
mod precision;
mod settings;
mod sharing;
mod split;
mod update;

pub use cost::{Cost, Shape};
pub use loss_scale::{LossScale, PAST_F16};
pub use plan::{Clip, Orthogonalization, Pass, PassKind, Plan, PlanRequest, Update};
pub use precision::{Precision, overflows_f16, rounded_to_f16};
pub use settings::{Half, LAYER_WORDS, LayerSettings, MemberState, NONE, STEP_WORDS, StepSettings};
pub use update::block_groups;

use crate::catalog::activation::ActivationSettings;
use crate::catalog::loss::LossSettings;
use crate::catalog::metric::TermRow;
use crate::catalog::normalization::NormalizationRow;
use crate::catalog::optimizer::{OptimizerForm, OptimizerRow};
use crate::catalog::row_activation::RowActivationRow;
use crate::kernels::{Kernel, Parameters};

/// Names a buffer of a [`Plan`]: its index in `Plan::buffers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// Names a program of a [`Plan`]: its index in `Plan::programs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProgramId(pub usize);

/// What the 32-bit words of a buffer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Numbers: f32 on a device, the twin's float in the reference.
    Reals,
    /// Numbers in f16, two to a word; the twin's float in the reference.
    Halves,
    /// Unsigned integers.
    Words,
    /// [`StepSettings`] rows, of [`STEP_WORDS`] words each.
    Steps,
    /// [`LayerSettings`] rows, of [`LAYER_WORDS`] words each.
    Layers,
    /// [`MemberState`] rows, of 4 words each.
    State,
    /// [`LossScale`] rows, of 4 words each.
    Scales,
}

/// One buffer of a plan. A new buffer holds zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferSpec {
    /// Its name, such as `parameters` or `activation.0` or `train.features`.
    pub name: String,
    /// What it holds.
    pub contents: Contents,
    /// Length in 32-bit words.
    pub words: u64,
    /// The buffer that it is a part of, of the same contents, and the element where it begins there;
    /// none has its own memory.
    pub part_of: Option<(BufferId, u64)>,
}

/// The variants whose sources and twins a call is made of.
#[derive(Debug, Clone, Default)]
pub struct Variants {
    /// The activation and its parameters.
    pub activation: Option<ActivationSettings>,
    /// An activation of whole rows.
    pub row_activation: Option<&'static RowActivationRow>,
    /// A normalisation.
    pub normalization: Option<&'static NormalizationRow>,
    /// The loss and its parameters.
    pub loss: Option<LossSettings>,
    /// The metric terms, in the order of the row statistics.
    pub terms: Vec<&'static TermRow>,
    /// The optimizer and its form.
    pub optimizer: Option<(&'static OptimizerRow, OptimizerForm)>,
    /// Elements of the layer are dropped.
    pub drops: bool,
    /// Blocks of parameters have settings of their own.
    pub by_block: bool,
    /// Batch rows are gathered from the data set through `order`.
    pub gathered: bool,
    /// What the values of [`Kernel::STORED`] are stored in.
    pub precision: Precision,
    /// Numbers of the call in f64, which its uniform holds in f32.
    pub numbers: [f64; 2],
}

/// One kernel call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The kernel.
    pub kernel: Kernel,
    /// What the call is about, such as `layers.0`; for people.
    pub subject: String,
    /// What its source and twin are made of.
    pub variants: Variants,
    /// Its uniform.
    pub parameters: Parameters,
    /// Which buffer each of its bindings is, by the binding's name in the WGSL.
    pub bindings: Vec<(&'static str, BufferId)>,
    /// Largest number of (columns, rows, members) it works on, in elements: the backend divides
    /// by its tiles.
    pub extent: [u32; 3],
}

impl Call {
    /// The members, one after the other, that one call is of at once, the heads of one network: none of
    /// them can be run before the others are there. None where each is by itself.
    pub fn heads(&self) -> Option<usize> {
        match &self.parameters {
            Parameters::ShareGradients(own) => Some(own.heads as usize),
            Parameters::NormFactors(own) if own.heads > 1 => Some(own.heads as usize),
            _ => None,
        }
    }

    /// The buffer bound to that name.
    pub fn buffer(&self, binding: &str) -> Option<BufferId> {
        self.bindings.iter().find(|(name, _)| *name == binding).map(|(_, buffer)| *buffer)
    }
}

/// A list of calls that does one step.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name, such as `train` or `evaluate.validation`.
    pub name: String,
    /// The calls, in order; each sees what those before it wrote.
    pub calls: Vec<Call>,
}
