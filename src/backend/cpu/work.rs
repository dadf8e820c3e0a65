//! What a call of a plan becomes: an operation whose buffers are indices.

use crate::catalog::activation::Functions;
use crate::catalog::loss::LossSettings;
use crate::catalog::metric::Term;
use crate::catalog::optimizer::{OptimizerForm, StepSlice};
use crate::kernels::dense_forward::DenseForward;
use crate::kernels::finish_step::FinishStep;
use crate::kernels::gradient_statistics::GradientStatistics;
use crate::kernels::input_gradient::InputGradient;
use crate::kernels::loss::Loss;
use crate::kernels::matrix_product::MatrixProduct;
use crate::kernels::norm_factors::NormFactors;
use crate::kernels::optimizer_step::OptimizerStep;
use crate::kernels::share_gradients::ShareGradients;
use crate::kernels::weight_gradient::WeightGradient;
use crate::program::Call;

/// One call, ready to run.
#[derive(Debug)]
pub(super) struct Operation {
    /// The tables of steps and of states.
    pub steps: usize,
    pub state: usize,
    pub work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    Forward(Forward),
    WeightGradient(WeightGradientWork),
    InputGradient(InputGradientWork),
    Loss(LossWork),
    Statistics(StatisticsWork),
    Optimizer(OptimizerWork),
    Finish(FinishWork),
    Product(ProductWork),
    /// A call of all heads of a network at once.
    Joint(JointWork),
    /// A kernel that runs as its twin.
    Twin(Box<TwinWork>),
}

/// The input of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    pub buffer: usize,
    pub inputs: usize,
    /// The order that rows are gathered by, and where a member's part of it begins.
    pub order: Option<(usize, usize)>,
    /// Whether all members read one data set.
    pub shared: bool,
}

#[derive(Debug)]
pub(super) struct Forward {
    pub call: DenseForward,
    pub activation: Functions<f32>,
    pub input: Input,
    pub layers: usize,
    pub parameters: usize,
    pub output: usize,
    pub pre_activation: Option<usize>,
    pub parallel: bool,
}

#[derive(Debug)]
pub(super) struct WeightGradientWork {
    pub call: WeightGradient,
    pub input: Input,
    pub delta: usize,
    pub gradients: usize,
    pub parallel: bool,
}

#[derive(Debug)]
pub(super) struct InputGradientWork {
    pub call: InputGradient,
    pub delta: usize,
    pub parameters: usize,
    pub delta_below: usize,
    pub below: BelowWork,
    pub parallel: bool,
}

/// What becomes of the gradient by the output of the layer below.
#[derive(Debug)]
pub(super) enum BelowWork {
    /// Its activation is part of the matrix product: so is the derivative.
    Activated {
        activation: Functions<f32>,
        layers: usize,
        outputs: usize,
        pre_activation: Option<usize>,
    },
    /// It is handed on, with what goes round the layer.
    Plain { residual_gradient: Option<usize> },
}

#[derive(Debug, Clone)]
pub(super) struct LossWork {
    pub call: Loss,
    pub settings: LossSettings,
    pub terms: Vec<(Term<f32>, usize)>,
    pub collected: Option<usize>,
    pub order: Option<(usize, usize)>,
    pub logits: usize,
    pub targets: usize,
    pub delta: usize,
    pub row_statistics: usize,
    pub parallel: bool,
}

#[derive(Debug)]
pub(super) struct StatisticsWork {
    pub call: GradientStatistics,
    pub parameters: usize,
    pub gradients: usize,
    pub block_settings: usize,
    pub partials: usize,
    pub parallel: bool,
}

#[derive(Debug, Clone)]
pub(super) struct OptimizerWork {
    pub call: OptimizerStep,
    pub step: StepSlice,
    pub form: OptimizerForm,
    pub parameters: usize,
    pub gradients: usize,
    pub block_settings: usize,
    pub moments: [Option<usize>; 3],
    pub parallel: bool,
}

#[derive(Debug, Clone)]
pub(super) struct FinishWork {
    pub call: FinishStep,
    pub row_statistics: usize,
    pub partials: usize,
    pub step_log: usize,
}

#[derive(Debug)]
pub(super) struct ProductWork {
    pub call: MatrixProduct,
    pub left: usize,
    pub right: usize,
    pub addend: usize,
    pub product: usize,
    pub parallel: bool,
}

/// A call of all heads of a network at once.
#[derive(Debug)]
pub(super) enum JointWork {
    /// One gradient of what they share.
    Share { call: ShareGradients, parameters: usize, gradients: usize },
    /// One norm of all.
    Norm { call: NormFactors, partials: usize, groups: usize, factors: usize },
}

#[derive(Debug)]
pub(super) struct TwinWork {
    pub call: Call,
    /// The order that rows are gathered by, and where a member's part of it begins.
    pub order: Option<(usize, usize)>,
    /// The data set that all members read.
    pub shared: Option<usize>,
    /// The layer table, and the layers of a member in it.
    pub layers: Option<(usize, usize)>,
    /// The buffers that are written, by their bindings.
    pub written: Vec<(&'static str, usize)>,
}
