//! Turns a plan's calls into operations whose buffers are indices: done once, at load.

use super::arena::{self, StepLoop};
use super::memory::Place;
use crate::catalog::activation::Functions;
use crate::catalog::loss::RowLoss;
use crate::catalog::metric::Term;
use crate::error::{Error, Result};
use crate::kernels::Parameters;
use crate::kernels::dense_forward::DenseForward;
use crate::kernels::finish_step::FinishStep;
use crate::kernels::gradient_statistics::{BLOCK, GradientStatistics};
use crate::kernels::input_gradient::InputGradient;
use crate::kernels::loss::Loss;
use crate::kernels::optimizer_step::OptimizerStep;
use crate::kernels::weight_gradient::WeightGradient;
use crate::program::{Call, Contents, Plan};

/// Multiplications from which threads share one matrix product. Below it, waking them costs more
/// than they save (measured at batches of 64 to 256 and widths of 64 to 512).
const PARALLEL_PRODUCT: usize = 12 << 20;

/// Elements from which threads share a pass over them.
const PARALLEL_ELEMENTS: usize = 1 << 16;

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
    pub activation: Functions<f32>,
    pub layers: usize,
    pub delta: usize,
    pub parameters: usize,
    pub below: usize,
    pub pre_activation: Option<usize>,
    pub delta_below: usize,
    pub parallel: bool,
}

#[derive(Debug)]
pub(super) struct LossWork {
    pub call: Loss,
    pub row_loss: RowLoss<f32>,
    pub terms: Vec<(Term<f32>, usize)>,
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

#[derive(Debug)]
pub(super) struct OptimizerWork {
    pub call: OptimizerStep,
    pub step_loop: StepLoop,
    pub parameters: usize,
    pub gradients: usize,
    pub block_settings: usize,
    pub moments: [Option<usize>; 3],
    pub parallel: bool,
}

#[derive(Debug)]
pub(super) struct FinishWork {
    pub call: FinishStep,
    pub row_statistics: usize,
    pub partials: usize,
    pub step_log: usize,
}

/// A plan, ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The programs, by their index in the plan.
    pub programs: Vec<Vec<Operation>>,
    /// How each buffer is spread.
    pub places: Vec<Place>,
    /// Elements of the largest batch that is gathered.
    pub batch: usize,
}

struct Compiler<'a> {
    plan: &'a Plan,
    /// Whether threads may share one member's work.
    threads_share: bool,
    places: Vec<Option<Place>>,
    batch: usize,
}

pub(super) fn compile(plan: &Plan, threads: usize) -> Result<Compiled> {
    let mut compiler = Compiler {
        plan,
        threads_share: plan.members < threads,
        places: vec![None; plan.buffers.len()],
        batch: 0,
    };
    let mut programs = Vec::with_capacity(plan.programs.len());
    for program in &plan.programs {
        let operations = program
            .calls
            .iter()
            .map(|call| compiler.operation(call))
            .collect::<Result<Vec<_>>>()?;
        programs.push(operations);
    }
    let places = plan.buffers.iter().zip(&compiler.places).map(|(spec, place)| {
        place.unwrap_or(match spec.contents {
            // Touched by no kernel, but copied from and to buffers that are split.
            Contents::Reals if (spec.words as usize).is_multiple_of(plan.members) => {
                Place::Split(spec.words as usize / plan.members)
            }
            _ => Place::Shared,
        })
    });
    Ok(Compiled { programs, places: places.collect(), batch: compiler.batch })
}

impl Compiler<'_> {
    fn operation(&mut self, call: &Call) -> Result<Operation> {
        Ok(Operation {
            steps: self.table(call, "steps", Contents::Steps)?,
            state: self.table(call, "state", Contents::State)?,
            work: self.work(call)?,
        })
    }

    fn bound(&self, call: &Call, binding: &str) -> Result<usize> {
        call.buffer(binding).map(|id| id.0).ok_or_else(|| lacking(call, binding))
    }

    fn table(&self, call: &Call, binding: &str, contents: Contents) -> Result<usize> {
        let id = self.bound(call, binding)?;
        let spec = &self.plan.buffers[id];
        if spec.contents != contents {
            return Err(Error::internal(format!("{:?} is not a table of {contents:?}", spec.name)));
        }
        Ok(id)
    }

    /// A buffer of reals, spread as this call's strides have it. A scratch buffer that layers of
    /// different widths share is spread by the widest.
    fn reals(&mut self, call: &Call, binding: &str, place: Place) -> Result<usize> {
        let id = self.table(call, binding, Contents::Reals)?;
        let spec = &self.plan.buffers[id];
        let merged = match (self.places[id], place) {
            (None, place) => place,
            (Some(Place::Split(a)), Place::Split(b)) => Place::Split(a.max(b)),
            (Some(known), place) if known == place => place,
            (Some(known), place) => {
                return Err(Error::internal(format!(
                    "{:?} is used as {known:?} and as {place:?}",
                    spec.name
                )));
            }
        };
        let needed = match merged {
            Place::Shared => 0,
            Place::Split(run) => run * self.plan.members,
            Place::Interleaved(run) => run * self.plan.members,
        };
        if needed > spec.words as usize {
            return Err(Error::internal(format!(
                "{:?} holds {} words, but {} needs {needed}",
                spec.name,
                spec.words,
                call.kernel.name()
            )));
        }
        self.places[id] = Some(merged);
        Ok(id)
    }

    fn split(&mut self, call: &Call, binding: &str, stride: u32) -> Result<usize> {
        self.reals(call, binding, Place::Split(stride as usize))
    }

    fn order(&self, call: &Call, stride: u32) -> Result<Option<(usize, usize)>> {
        if !call.variants.gathered {
            return Ok(None);
        }
        Ok(Some((self.table(call, "order", Contents::Words)?, stride as usize)))
    }

    fn input(
        &mut self,
        call: &Call,
        inputs: u32,
        member_stride: u32,
        order_stride: u32,
        rows: usize,
    ) -> Result<Input> {
        let order = self.order(call, order_stride)?;
        let shared = member_stride == 0 && order.is_some();
        let place = if shared { Place::Shared } else { Place::Split(member_stride as usize) };
        if order.is_some() {
            self.batch = self.batch.max(rows * inputs as usize);
        }
        Ok(Input {
            buffer: self.reals(call, "input", place)?,
            inputs: inputs as usize,
            order,
            shared,
        })
    }

    fn product_parallel(&self, sizes: [u32; 3]) -> bool {
        let multiplications = sizes.iter().map(|size| *size as usize).product::<usize>();
        self.threads_share && multiplications >= PARALLEL_PRODUCT
    }

    fn pass_parallel(&self, elements: usize) -> bool {
        self.threads_share && elements >= PARALLEL_ELEMENTS
    }

    fn kept(&mut self, call: &Call, stride: u32) -> Result<Option<usize>> {
        match call.buffer("pre_activation") {
            Some(_) => self.split(call, "pre_activation", stride).map(Some),
            None => Ok(None),
        }
    }

    fn work(&mut self, call: &Call) -> Result<Work> {
        let rows = call.extent[1];
        let activation = || {
            let row = call.variants.activation.map(|activation| activation.row.single);
            row.ok_or_else(|| lacking(call, "activation"))
        };
        Ok(match call.parameters {
            Parameters::DenseForward(p) => Work::Forward(Forward {
                activation: activation()?,
                input: self.input(
                    call,
                    p.inputs,
                    p.input_member_stride,
                    p.order_stride,
                    rows as usize,
                )?,
                layers: self.table(call, "layers", Contents::Layers)?,
                parameters: self.split(call, "parameters", p.parameter_stride)?,
                output: self.split(call, "output", p.output_member_stride)?,
                pre_activation: self.kept(call, p.output_member_stride)?,
                parallel: self.product_parallel([rows, p.inputs, p.outputs]),
                call: p,
            }),
            Parameters::WeightGradient(p) => {
                // The extent is that of the gradient; the depth is the batch's.
                let id = self.split(call, "delta", p.delta_member_stride)?;
                let depth = p.delta_member_stride / p.outputs.max(1);
                Work::WeightGradient(WeightGradientWork {
                    input: self.input(
                        call,
                        p.inputs,
                        p.input_member_stride,
                        p.order_stride,
                        depth as usize,
                    )?,
                    delta: id,
                    gradients: self.split(call, "gradients", p.parameter_stride)?,
                    parallel: self.product_parallel([depth, p.inputs, p.outputs]),
                    call: p,
                })
            }
            Parameters::InputGradient(p) => Work::InputGradient(InputGradientWork {
                activation: activation()?,
                layers: self.table(call, "layers", Contents::Layers)?,
                delta: self.split(call, "delta", p.delta_member_stride)?,
                parameters: self.split(call, "parameters", p.parameter_stride)?,
                below: self.split(call, "below", p.below_member_stride)?,
                pre_activation: self.kept(call, p.below_member_stride)?,
                delta_below: self.split(call, "delta_below", p.below_member_stride)?,
                parallel: self.product_parallel([rows, p.inputs, p.outputs]),
                call: p,
            }),
            Parameters::Loss(p) => Work::Loss(LossWork {
                row_loss: call.variants.loss.ok_or_else(|| lacking(call, "loss"))?.single,
                terms: call
                    .variants
                    .terms
                    .iter()
                    .map(|row| (row.single, row.width(p.outputs as usize)))
                    .collect(),
                order: self.order(call, p.order_stride)?,
                logits: self.split(call, "logits", p.logits_member_stride)?,
                targets: self.reals(call, "targets", Place::Shared)?,
                delta: if p.training == 1 {
                    self.split(call, "delta", p.logits_member_stride)?
                } else {
                    self.bound(call, "delta")?
                },
                row_statistics: self.split(call, "row_statistics", p.statistics_member_stride)?,
                parallel: self.pass_parallel(rows as usize * p.outputs as usize * 4),
                call: p,
            }),
            Parameters::GradientStatistics(p) => Work::Statistics(StatisticsWork {
                parameters: self.split(call, "parameters", p.blocks * BLOCK as u32)?,
                gradients: self.split(call, "gradients", p.blocks * BLOCK as u32)?,
                block_settings: self.split(call, "block_settings", p.blocks * 4)?,
                partials: self.split(call, "partials", p.blocks * 2)?,
                parallel: self.pass_parallel(p.blocks as usize * BLOCK),
                call: p,
            }),
            Parameters::OptimizerStep(p) => self.optimizer(call, p)?,
            Parameters::FinishStep(p) => Work::Finish(FinishWork {
                row_statistics: self.split(call, "row_statistics", p.statistics_member_stride)?,
                partials: if p.partials > 0 {
                    self.split(call, "partials", p.partials * 2)?
                } else {
                    self.bound(call, "partials")?
                },
                step_log: self.reals(call, "step_log", Place::Interleaved(p.log_width as usize))?,
                call: p,
            }),
        })
    }

    fn optimizer(&mut self, call: &Call, p: OptimizerStep) -> Result<Work> {
        let (row, form) = call.variants.optimizer.ok_or_else(|| lacking(call, "optimizer"))?;
        let stride = p.quads * 4;
        let mut moments = [None; 3];
        for (i, name) in ["moment0", "moment1", "moment2"].into_iter().enumerate() {
            if (row.moments)(form)[i] {
                moments[i] = Some(self.split(call, name, stride)?);
            }
        }
        Ok(Work::Optimizer(OptimizerWork {
            step_loop: arena::step_loop(row, form)
                .ok_or_else(|| lacking(call, "loop for this optimizer"))?,
            parameters: self.split(call, "parameters", stride)?,
            gradients: self.split(call, "gradients", stride)?,
            block_settings: self.split(call, "block_settings", stride / BLOCK as u32 * 4)?,
            moments,
            parallel: self.pass_parallel(stride as usize),
            call: p,
        }))
    }
}

fn lacking(call: &Call, what: &str) -> Error {
    Error::internal(format!("{} of {} has no {what}", call.kernel.name(), call.subject))
}
