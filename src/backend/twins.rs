//! Runs one call of one member with its kernel's twin, for the reference backend and for those
//! kernels of the CPU backend that have no faster form.

use crate::catalog::activation::{ActivationRow, Functions};
use crate::catalog::loss::{LossRow, RowLoss};
use crate::catalog::metric::{Term, TermRow};
use crate::catalog::normalization::NormalizationRow;
use crate::catalog::optimizer::{OptStep, OptimizerRow};
use crate::catalog::row_activation::{RowActivationRow, RowFunctions};
use crate::error::{Error, Result};
use crate::kernels::adapt_weights::adapt_weights;
use crate::kernels::adapter_gradient::adapter_gradient;
use crate::kernels::average_parameters::average_parameters;
use crate::kernels::clip_gradients::clip_gradients;
use crate::kernels::dense_forward::dense_forward;
use crate::kernels::embedding::embedding;
use crate::kernels::embedding_gradient::embedding_gradient;
use crate::kernels::finish_step::finish_step;
use crate::kernels::gradient_statistics::gradient_statistics;
use crate::kernels::input_gradient::{Below, input_gradient};
use crate::kernels::layer_gradient::layer_gradient;
use crate::kernels::layer_output::layer_output;
use crate::kernels::loss::{LossFunctions, loss};
use crate::kernels::matrix_product::matrix_product;
use crate::kernels::max_norm::max_norm;
use crate::kernels::muon_momentum::muon_momentum;
use crate::kernels::muon_scale::muon_scale;
use crate::kernels::norm_factors::norm_factors;
use crate::kernels::normalize::normalize;
use crate::kernels::normalize_gradient::normalize_gradient;
use crate::kernels::optimizer_step::optimizer_step;
use crate::kernels::partial_gradients::partial_gradients;
use crate::kernels::row_activation::row_activation;
use crate::kernels::row_activation_gradient::row_activation_gradient;
use crate::kernels::scale_gradient::scale_gradient;
use crate::kernels::share_gradients::share_gradients;
use crate::kernels::slope_gradient::slope_gradient;
use crate::kernels::update::{Operands, update};
use crate::kernels::weight_gradient::weight_gradient;
use crate::kernels::zero_gradients::zero_gradients;
use crate::kernels::{Parameters, Real, Step};
use crate::program::{BufferId, Call, LayerSettings, MemberState};

/// A float that the catalogue has twins in.
pub trait Twin: Real {
    /// Its name, as `wgfit devices` prints it.
    const NAME: &'static str;
    /// The twins of an activation.
    fn functions(row: &'static ActivationRow) -> Functions<Self>;
    /// The twin of a loss.
    fn row_loss(row: &'static LossRow) -> RowLoss<Self>;
    /// The twin of a metric's term.
    fn term(row: &'static TermRow) -> Term<Self>;
    /// The twins of an activation of rows.
    fn row_functions(row: &'static RowActivationRow) -> RowFunctions<Self>;
    /// The twin of an optimizer.
    fn opt_step(row: &'static OptimizerRow) -> OptStep<Self>;
}

macro_rules! twin {
    ($float:ty, $name:literal, $field:ident) => {
        impl Twin for $float {
            const NAME: &'static str = $name;
            fn functions(row: &'static ActivationRow) -> Functions<Self> {
                row.$field
            }
            fn row_loss(row: &'static LossRow) -> RowLoss<Self> {
                row.$field
            }
            fn term(row: &'static TermRow) -> Term<Self> {
                row.$field
            }
            fn row_functions(row: &'static RowActivationRow) -> RowFunctions<Self> {
                row.$field
            }
            fn opt_step(row: &'static OptimizerRow) -> OptStep<Self> {
                row.$field
            }
        }
    };
}

twin!(f32, "reference (f32)", single);
twin!(f64, "reference (f64)", double);

/// What a call of one member is bound to.
pub(super) struct Bound<'a, 'w, R> {
    /// The call.
    pub call: &'a Call,
    /// The member's step.
    pub step: Step<'a, R>,
    /// The layer table; empty where the call has none.
    pub layers: &'a [LayerSettings],
    /// A buffer of reals that is only read.
    pub reals: &'a dyn Fn(BufferId) -> Result<&'a [R]>,
    /// A buffer of words.
    pub words: &'a dyn Fn(BufferId) -> Result<&'a [u32]>,
    /// The buffers that are written, by their bindings.
    pub written: &'w mut [(&'static str, &'w mut [R])],
    /// The member's state.
    pub state: &'w mut MemberState,
    /// Which heads of the network have stopped, of a call that is of all at once; else none are told.
    pub stopped: &'a [bool],
}

impl<'a, R: Twin> Bound<'a, '_, R> {
    fn lacks(&self, what: &str) -> Error {
        Error::internal(format!("{} has no {what}", self.call.kernel.name()))
    }

    fn id(&self, name: &str) -> Result<BufferId> {
        self.call.buffer(name).ok_or_else(|| self.lacks(name))
    }

    fn read(&self, name: &str) -> Result<&'a [R]> {
        (self.reals)(self.id(name)?)
    }

    fn optional(&self, name: &str) -> Result<Option<&'a [R]>> {
        self.call.buffer(name).map(|id| (self.reals)(id)).transpose()
    }

    fn functions(&self) -> Result<(Functions<R>, [R; 2])> {
        let activation = self.call.variants.activation.ok_or_else(|| self.lacks("activation"))?;
        Ok((R::functions(activation.row), activation.values.map(R::of)))
    }

    fn rows(&self) -> Result<RowFunctions<R>> {
        let row = self.call.variants.row_activation.ok_or_else(|| self.lacks("activation"))?;
        Ok(R::row_functions(row))
    }

    fn normalization(&self) -> Result<&'static NormalizationRow> {
        self.call.variants.normalization.ok_or_else(|| self.lacks("normalisation"))
    }

    /// The settings of the blocks; empty where all are alike.
    fn block_settings(&self) -> Result<&'a [R]> {
        if self.call.variants.by_block { self.read("block_settings") } else { Ok(&[]) }
    }

    fn numbers(&self) -> [R; 2] {
        self.call.variants.numbers.map(R::of)
    }
}

/// Takes a written buffer out of the list.
fn take<'w, R>(written: &mut [(&'static str, &'w mut [R])], name: &str) -> Option<&'w mut [R]> {
    written.iter_mut().find(|(own, _)| *own == name).map(|(_, values)| std::mem::take(values))
}

/// Runs the call.
pub(super) fn run_twin<R: Twin>(bound: &mut Bound<'_, '_, R>) -> Result<()> {
    let lacking =
        |name: &str| Error::internal(format!("{} writes no {name}", bound.call.kernel.name()));
    macro_rules! out {
        ($name:literal) => {
            take(&mut *bound.written, $name).ok_or_else(|| lacking($name))?
        };
    }
    let (call, step, layers) = (bound.call, bound.step, bound.layers);
    let step = &step;
    match &call.parameters {
        Parameters::AdaptWeights(p) => {
            adapt_weights(p, step, bound.read("parameters")?, out!("adapted"));
        }
        Parameters::Embedding(p) => {
            let (input, parameters) = (bound.read("input")?, bound.read("parameters")?);
            embedding(p, step, input, parameters, out!("output"), out!("codes"));
        }
        Parameters::DenseForward(p) => {
            let (functions, values) = bound.functions()?;
            let (input, parameters) = (bound.read("input")?, bound.read("parameters")?);
            let kept = take(&mut *bound.written, "pre_activation");
            let output = out!("output");
            dense_forward(p, step, &functions, values, layers, input, parameters, kept, output);
        }
        Parameters::Normalize(p) => {
            let (row, numbers, input) =
                (bound.normalization()?, bound.numbers(), bound.read("input")?);
            let (parameters, statistics, output) =
                (out!("parameters"), out!("statistics"), out!("output"));
            normalize(p, step, row, numbers, parameters, input, statistics, output);
        }
        Parameters::LayerOutput(p) => {
            let (functions, values) = bound.functions()?;
            let (parameters, input) = (bound.read("parameters")?, bound.read("input")?);
            let residual = bound.optional("residual")?;
            let output = out!("output");
            layer_output(p, step, &functions, values, layers, parameters, input, residual, output);
        }
        Parameters::RowActivation(p) => {
            let (rows, input) = (bound.rows()?, bound.read("input")?);
            row_activation(p, step, rows.act, input, out!("output"));
        }
        Parameters::Loss(p) => {
            let settings = call.variants.loss.ok_or_else(|| bound.lacks("loss"))?;
            let terms: Vec<(Term<R>, usize)> = call
                .variants
                .terms
                .iter()
                .map(|row| (R::term(row), row.width(p.targets as usize)))
                .collect();
            let functions = LossFunctions {
                row_loss: R::row_loss(settings.row),
                parameters: settings.values.map(R::of),
                exponential: settings.predicts_exponentials(),
                terms: &terms,
            };
            let (logits, targets) = (bound.read("logits")?, bound.read("targets")?);
            let collected = take(&mut *bound.written, "collected");
            let (delta, statistics) = (out!("delta"), out!("row_statistics"));
            let state = &mut *bound.state;
            loss(p, step, &functions, logits, targets, delta, statistics, collected, state);
        }
        Parameters::RowActivationGradient(p) => {
            let (rows, output) = (bound.rows()?, bound.read("output")?);
            row_activation_gradient(p, step, rows.act_grad, output, out!("delta"));
        }
        Parameters::SlopeGradient(p) => {
            let (input, delta) = (bound.read("input")?, bound.read("delta")?);
            slope_gradient(p, step, layers, input, delta, out!("gradients"));
        }
        Parameters::LayerGradient(p) => {
            let (functions, values) = bound.functions()?;
            let (parameters, input) = (bound.read("parameters")?, bound.read("input")?);
            let kept = take(&mut *bound.written, "residual_gradient");
            let delta = out!("delta");
            layer_gradient(p, step, &functions, values, layers, parameters, input, delta, kept);
        }
        Parameters::ScaleGradient(p) => {
            let row = bound.normalization()?;
            let (input, statistics) = (bound.read("input")?, bound.read("statistics")?);
            let delta = bound.read("delta")?;
            scale_gradient(p, step, row, input, statistics, delta, out!("gradients"));
        }
        Parameters::NormalizeGradient(p) => {
            let row = bound.normalization()?;
            let (parameters, input) = (bound.read("parameters")?, bound.read("input")?);
            let statistics = bound.read("statistics")?;
            normalize_gradient(p, step, row, parameters, input, statistics, out!("delta"));
        }
        Parameters::WeightGradient(p) => {
            let (input, delta) = (bound.read("input")?, bound.read("delta")?);
            weight_gradient(p, step, input, delta, out!("gradients"));
        }
        Parameters::InputGradient(p) => {
            let below = if call.variants.activation.is_some() {
                let (activation, values) = bound.functions()?;
                &Below::Activated {
                    activation: &{ activation },
                    values,
                    layers,
                    outputs: bound.read("below")?,
                    pre_activation: bound.optional("pre_activation")?,
                }
            } else {
                &Below::Plain { residual_gradient: bound.optional("residual_gradient")? }
            };
            let (delta, parameters) = (bound.read("delta")?, bound.read("parameters")?);
            input_gradient(p, step, delta, parameters, below, out!("delta_below"));
        }
        Parameters::AdapterGradient(p) => {
            adapter_gradient(p, step, bound.read("parameters")?, out!("gradients"));
        }
        Parameters::ShareGradients(p) => {
            let parameters = bound.read("parameters")?;
            share_gradients(p, step, bound.stopped, parameters, out!("gradients"));
        }
        Parameters::ZeroGradients(p) => zero_gradients(p, step, out!("gradients")),
        Parameters::EmbeddingGradient(p) => {
            let (codes, delta) = (bound.read("codes")?, bound.read("delta")?);
            embedding_gradient(p, step, codes, delta, out!("gradients"));
        }
        Parameters::GradientStatistics(p) => {
            let (parameters, gradients) = (bound.read("parameters")?, bound.read("gradients")?);
            let settings = bound.read("block_settings")?;
            gradient_statistics(p, step, parameters, gradients, settings, out!("partials"));
        }
        Parameters::NormFactors(p) => {
            let partials = bound.read("partials")?;
            let groups = (bound.words)(bound.id("groups")?)?;
            norm_factors(p, step, bound.numbers()[0], partials, groups, out!("factors"));
        }
        Parameters::ClipGradients(p) => {
            let (parameters, settings) = (bound.read("parameters")?, bound.read("block_settings")?);
            let factors = bound.read("factors")?;
            clip_gradients(p, step, parameters, settings, factors, out!("gradients"));
        }
        Parameters::MuonMomentum(p) => {
            let (gradients, settings) = (bound.read("gradients")?, bound.read("block_settings")?);
            let (moment, direction, partials) =
                (out!("moment0"), out!("direction"), out!("partials"));
            muon_momentum(p, step, gradients, settings, moment, direction, partials);
        }
        Parameters::MuonScale(p) => {
            let (settings, factors) = (bound.read("block_settings")?, bound.read("factors")?);
            muon_scale(p, step, settings, factors, out!("direction"));
        }
        Parameters::MatrixProduct(p) => {
            let (left, right) = (bound.read("left")?, bound.read("right")?);
            let addend = bound.read("addend")?;
            matrix_product(p, step, bound.numbers(), left, right, addend, out!("product"));
        }
        Parameters::OptimizerStep(p) => {
            let (row, form) = call.variants.optimizer.ok_or_else(|| bound.lacks("optimizer"))?;
            let (gradients, settings) = (bound.read("gradients")?, bound.block_settings()?);
            // Buffers of moments that the form does not keep are stubs.
            let kept = (row.moments)(form);
            let mut moments = [out!("moment0"), out!("moment1"), out!("moment2")];
            for (moment, kept) in moments.iter_mut().zip(kept) {
                if !kept {
                    *moment = &mut [];
                }
            }
            let parameters = out!("parameters");
            optimizer_step(
                p,
                step,
                R::opt_step(row),
                form,
                gradients,
                settings,
                parameters,
                moments,
                bound.state,
            );
        }
        Parameters::MaxNorm(p) => max_norm(p, step, bound.numbers()[0], out!("parameters")),
        Parameters::AverageParameters(p) => {
            let (parameters, settings) = (bound.read("parameters")?, bound.read("block_settings")?);
            average_parameters(p, step, parameters, settings, out!("average"));
        }
        Parameters::Update(p) => {
            let (row, form) = call.variants.optimizer.ok_or_else(|| bound.lacks("optimizer"))?;
            let operands = Operands {
                features: bound.read("features")?,
                even: bound.read("even")?,
                odd: bound.read("odd")?,
                row_statistics: bound.read("row_statistics")?,
            };
            let settings = bound.block_settings()?;
            let mut moments = [out!("moment0"), out!("moment1"), out!("moment2")];
            let kept = (row.moments)(form);
            for (moment, _) in moments.iter_mut().zip(kept).filter(|(_, kept)| !kept) {
                *moment = &mut [];
            }
            let (parameters, step_log) = (out!("parameters"), out!("step_log"));
            let opt_step = R::opt_step(row);
            let state = &mut *bound.state;
            update(
                p, step, opt_step, form, &operands, settings, parameters, moments, step_log, state,
            );
        }
        Parameters::PartialGradients(p) => {
            let operands = Operands {
                features: bound.read("features")?,
                even: bound.read("even")?,
                odd: bound.read("odd")?,
                row_statistics: bound.read("row_statistics")?,
            };
            let (partials, step_log) = (out!("partial_gradients"), out!("step_log"));
            partial_gradients(p, step, &operands, partials, step_log, bound.state);
        }
        Parameters::FinishStep(p) => {
            let (statistics, partials) = (bound.read("row_statistics")?, bound.read("partials")?);
            finish_step(p, step, statistics, partials, out!("step_log"), bound.state);
        }
    }
    Ok(())
}
