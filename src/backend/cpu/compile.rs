//! Turns a plan's calls into operations whose buffers are indices: done once, at load.

use super::memory::Place;
use super::work::{
    BelowWork, FinishWork, Forward, Input, InputGradientWork, JointWork, LossWork, Operation,
    OptimizerWork, ProductWork, StatisticsWork, TwinWork, WeightGradientWork, Work,
};
use crate::error::{Error, Result};
use crate::kernels::Parameters;
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::optimizer_step::{BLOCK_SETTINGS, OptimizerStep};
use crate::program::{Call, Contents, LAYER_WORDS, Plan};

/// Multiplications from which threads share one matrix product. Below it, waking them costs more
/// than they save (measured at batches of 64 to 256 and widths of 64 to 512).
const PARALLEL_PRODUCT: usize = 12 << 20;

/// Elements from which threads share a pass over them.
const PARALLEL_ELEMENTS: usize = 1 << 16;

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
                below: self.below(call, p.below_member_stride)?,
                delta: self.split(call, "delta", p.delta_member_stride)?,
                parameters: self.split(call, "parameters", p.parameter_stride)?,
                delta_below: self.split(call, "delta_below", p.below_member_stride)?,
                parallel: self.product_parallel([rows, p.inputs, p.outputs]),
                call: p,
            }),
            Parameters::Loss(p) => Work::Loss(LossWork {
                settings: call.variants.loss.ok_or_else(|| lacking(call, "loss"))?,
                collected: call
                    .buffer("collected")
                    .map(|_| self.split(call, "collected", p.collected_member_stride))
                    .transpose()?,
                terms: call
                    .variants
                    .terms
                    .iter()
                    .map(|row| (row.single, row.width(p.targets as usize)))
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
                block_settings: self.split(
                    call,
                    "block_settings",
                    p.blocks * BLOCK_SETTINGS as u32,
                )?,
                partials: self.split(call, "partials", p.blocks * 2)?,
                parallel: self.pass_parallel(p.blocks as usize * BLOCK),
                call: p,
            }),
            Parameters::OptimizerStep(p) => self.optimizer(call, p)?,
            Parameters::MatrixProduct(p) => Work::Product(ProductWork {
                left: self.split(call, "left", p.left_member_stride)?,
                right: self.split(call, "right", p.right_member_stride)?,
                addend: self.split(call, "addend", p.addend_member_stride)?,
                product: self.split(call, "product", p.product_member_stride)?,
                parallel: self.product_parallel([p.rows, p.columns, p.depth]),
                call: p,
            }),
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
            Parameters::ShareGradients(p) => Work::Joint(JointWork::Share {
                parameters: self.split(call, "parameters", p.parameter_stride)?,
                gradients: self.split(call, "gradients", p.parameter_stride)?,
                call: p,
            }),
            Parameters::NormFactors(p) if p.heads > 1 => Work::Joint(JointWork::Norm {
                partials: self.split(call, "partials", p.blocks * 2)?,
                groups: self.table(call, "groups", Contents::Words)?,
                factors: {
                    let own = self.plan.buffers[self.bound(call, "factors")?].words as usize;
                    self.reals(call, "factors", Place::Split(own / self.plan.members))?
                },
                call: p,
            }),
            _ => self.twin(call)?,
        })
    }

    fn below(&mut self, call: &Call, stride: u32) -> Result<BelowWork> {
        Ok(match call.variants.activation {
            Some(activation) => BelowWork::Activated {
                activation: activation.row.single,
                layers: self.table(call, "layers", Contents::Layers)?,
                outputs: self.split(call, "below", stride)?,
                pre_activation: self.kept(call, stride)?,
            },
            None => BelowWork::Plain {
                residual_gradient: match call.buffer("residual_gradient") {
                    Some(_) => Some(self.split(call, "residual_gradient", stride)?),
                    None => None,
                },
            },
        })
    }

    /// A kernel that runs as its twin, each member on its own part of every buffer.
    fn twin(&mut self, call: &Call) -> Result<Work> {
        let outputs = call.kernel.outputs();
        let mut written = Vec::new();
        let (mut order, mut shared) = (None, None);
        if let Parameters::Embedding(p) = &call.parameters {
            order = self.order(call, p.order_stride)?;
            shared = Some(self.reals(call, "input", Place::Shared)?);
        }
        for (name, id) in &call.bindings {
            if shared == Some(id.0) {
                continue;
            }
            let spec = &self.plan.buffers[id.0];
            if spec.contents != Contents::Reals {
                continue;
            }
            let own = spec.words as usize / self.plan.members;
            self.reals(call, name, Place::Split(own))?;
            if outputs.contains(name) {
                written.push((*name, id.0));
            }
        }
        let layers = match call.buffer("layers") {
            Some(_) => {
                let table = self.table(call, "layers", Contents::Layers)?;
                let rows = self.plan.buffers[table].words as usize / LAYER_WORDS;
                Some((table, rows / self.plan.members))
            }
            None => None,
        };
        Ok(Work::Twin(Box::new(TwinWork { call: call.clone(), order, shared, layers, written })))
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
            step: row.slice,
            form,
            parameters: self.split(call, "parameters", stride)?,
            gradients: self.split(call, "gradients", stride)?,
            block_settings: self.split(
                call,
                "block_settings",
                stride / BLOCK as u32 * BLOCK_SETTINGS as u32,
            )?,
            moments,
            parallel: self.pass_parallel(stride as usize),
            call: p,
        }))
    }
}

fn lacking(call: &Call, what: &str) -> Error {
    Error::internal(format!("{} of {} has no {what}", call.kernel.name(), call.subject))
}
