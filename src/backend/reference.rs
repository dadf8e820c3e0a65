//! The reference backend: interprets a plan with the kernels' twins, one member and one call at a
//! time, in f32 or f64. Slow and plain; in f64 it is the oracle that the others are held to.

use std::sync::Arc;

use super::{Backend, Capacity, Contained, Counters, DeviceDescription, Executor};
use crate::catalog::activation::{ActivationRow, Functions};
use crate::catalog::loss::{LossRow, RowLoss};
use crate::catalog::metric::{Term, TermRow};
use crate::catalog::optimizer::{OptStep, OptimizerRow};
use crate::error::{Error, Result};
use crate::kernels::dense_forward::dense_forward;
use crate::kernels::finish_step::finish_step;
use crate::kernels::gradient_statistics::gradient_statistics;
use crate::kernels::input_gradient::input_gradient;
use crate::kernels::loss::loss;
use crate::kernels::optimizer_step::optimizer_step;
use crate::kernels::weight_gradient::weight_gradient;
use crate::kernels::{Parameters, Real, Step};
use crate::program::{
    BufferId, Call, Contents, LayerSettings, MemberState, NONE, Plan, Program, ProgramId,
    StepSettings,
};

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
            fn opt_step(row: &'static OptimizerRow) -> OptStep<Self> {
                row.$field
            }
        }
    };
}

twin!(f32, "reference (f32)", single);
twin!(f64, "reference (f64)", double);

/// The backend of the twins.
#[derive(Debug)]
pub struct Reference<R> {
    device: DeviceDescription,
    float: std::marker::PhantomData<R>,
}

impl<R: Twin> Reference<R> {
    /// A reference that computes in `R`.
    pub fn new() -> Self {
        Self {
            device: DeviceDescription {
                name: R::NAME.to_owned(),
                backend: "reference".to_owned(),
                driver: String::new(),
                kind: "cpu".to_owned(),
            },
            float: std::marker::PhantomData,
        }
    }
}

impl<R: Twin> Default for Reference<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Twin> Backend for Reference<R> {
    fn device(&self) -> &DeviceDescription {
        &self.device
    }

    fn capacity(&self) -> Capacity {
        Capacity { buffer_bytes: u64::MAX }
    }

    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        let buffers = plan
            .buffers
            .iter()
            .map(|spec| {
                let words = spec.words as usize;
                match spec.contents {
                    Contents::Reals => Buffer::Reals(vec![R::zero(); words]),
                    Contents::Words => Buffer::Words(vec![0; words]),
                    Contents::Steps => {
                        Buffer::Steps(vec![StepSettings::<f64>::default().to(); words / 16])
                    }
                    Contents::Layers => Buffer::Layers(vec![LayerSettings::default(); words / 4]),
                    Contents::State => Buffer::State(vec![bytemuck::Zeroable::zeroed(); words / 4]),
                }
            })
            .collect();
        Ok(Box::new(ReferenceExecutor::<R> {
            members: plan.members,
            names: plan.buffers.iter().map(|spec| spec.name.clone()).collect(),
            programs: plan.programs.clone(),
            buffers,
            counters: Counters { buffers: plan.buffers.len() as u64, ..Counters::default() },
        }))
    }
}

#[derive(Debug)]
enum Buffer<R> {
    Reals(Vec<R>),
    Words(Vec<u32>),
    Steps(Vec<StepSettings<R>>),
    Layers(Vec<LayerSettings>),
    State(Vec<MemberState>),
}

#[derive(Debug)]
struct ReferenceExecutor<R> {
    members: usize,
    names: Vec<String>,
    programs: Vec<Program>,
    buffers: Vec<Buffer<R>>,
    counters: Counters,
}

/// The accessor of one kind of contents, shared and mutable.
macro_rules! accessors {
    ($($variant:ident, $get:ident, $get_mut:ident, $element:ty;)*) => {
        impl<R: Twin> ReferenceExecutor<R> {
            $(
                #[allow(dead_code)]
                fn $get(&self, id: BufferId) -> Result<&[$element]> {
                    match &self.buffers[id.0] {
                        Buffer::$variant(values) => Ok(values),
                        _ => Err(self.mistaken(id, stringify!($variant))),
                    }
                }

                #[allow(dead_code)]
                fn $get_mut(&mut self, id: BufferId) -> Result<&mut Vec<$element>> {
                    if !matches!(self.buffers[id.0], Buffer::$variant(_)) {
                        return Err(self.mistaken(id, stringify!($variant)));
                    }
                    match &mut self.buffers[id.0] {
                        Buffer::$variant(values) => Ok(values),
                        _ => unreachable!(),
                    }
                }
            )*
        }
    };
}

accessors! {
    Reals, reals, reals_mut, R;
    Words, words, words_mut, u32;
    Steps, steps, steps_mut, StepSettings<R>;
    Layers, layers, layers_mut, LayerSettings;
    State, state, state_mut, MemberState;
}

fn overwrite<T: Copy>(to: &mut [T], from: impl ExactSizeIterator<Item = T>) -> Result<()> {
    if from.len() > to.len() {
        return Err(Error::internal(format!(
            "{} elements are written to a buffer of {}",
            from.len(),
            to.len()
        )));
    }
    to.iter_mut().zip(from).for_each(|(to, from)| *to = from);
    Ok(())
}

impl<R: Twin> ReferenceExecutor<R> {
    fn mistaken(&self, id: BufferId, wanted: &str) -> Error {
        Error::internal(format!("the buffer {:?} is not one of {wanted}", self.names[id.0]))
    }

    fn call(&mut self, call: &Call) -> Result<()> {
        let bound = |name: &str| {
            call.buffer(name).ok_or_else(|| {
                Error::internal(format!("{} has no binding {name:?}", call.kernel.name()))
            })
        };
        let (steps_id, state_id) = (bound("steps")?, bound("state")?);
        // Taken out while it is written, so that the others can be read.
        let taken = |this: &mut Self, id: BufferId| Ok(std::mem::take(this.reals_mut(id)?));
        let mut state = std::mem::take(self.state_mut(state_id)?);
        let mut written: Vec<(BufferId, Vec<R>)> = Vec::new();
        let outputs: &[&str] = match call.parameters {
            Parameters::DenseForward(_) => &["output", "pre_activation"],
            Parameters::WeightGradient(_) => &["gradients"],
            Parameters::InputGradient(_) => &["delta_below"],
            Parameters::Loss(_) => &["delta", "row_statistics"],
            Parameters::GradientStatistics(_) => &["partials"],
            Parameters::OptimizerStep(_) => &["parameters", "moment0", "moment1", "moment2"],
            Parameters::FinishStep(_) => &["step_log"],
        };
        for name in outputs {
            if let Some(id) = call.buffer(name) {
                written.push((id, taken(self, id)?));
            }
        }
        let mut done = Ok(());
        for (member, own) in state.iter_mut().enumerate().take(self.members) {
            done = self.member_call(call, member, steps_id, own, &mut written);
            if done.is_err() {
                break;
            }
        }
        for (id, values) in written {
            *self.reals_mut(id)? = values;
        }
        *self.state_mut(state_id)? = state;
        done
    }

    fn member_call(
        &self,
        call: &Call,
        member: usize,
        steps: BufferId,
        state: &mut MemberState,
        written: &mut [(BufferId, Vec<R>)],
    ) -> Result<()> {
        let finishes = matches!(call.parameters, Parameters::FinishStep(_));
        if state.bad_step != NONE && !finishes {
            return Ok(());
        }
        let reals = |name: &str| -> Result<&[R]> {
            match call.buffer(name) {
                Some(id) => self.reals(id),
                None => {
                    Err(Error::internal(format!("{} has no binding {name:?}", call.kernel.name())))
                }
            }
        };
        let row = state.cursor as usize * self.members + member;
        let settings = *self.steps(steps)?.get(row).ok_or_else(|| {
            Error::internal(format!("{:?} has no row {row}", self.names[steps.0]))
        })?;
        let order = match call.buffer("order") {
            Some(id) if call.variants.gathered => Some(self.words(id)?),
            _ => None,
        };
        let step = Step { member, settings, order };
        let lacking = |what: &str| Error::internal(format!("{} has no {what}", call.kernel.name()));
        let layers = || match call.buffer("layers") {
            Some(id) => self.layers(id),
            None => Err(lacking("layers")),
        };
        let activation = || {
            let activation = call.variants.activation.ok_or_else(|| lacking("activation"))?;
            Ok::<_, Error>((R::functions(activation.row), activation.values.map(R::of)))
        };
        match (&call.parameters, written) {
            (Parameters::DenseForward(parameters), [(_, output), rest @ ..]) => {
                let (functions, act_parameters) = activation()?;
                dense_forward(
                    parameters,
                    &step,
                    &functions,
                    act_parameters,
                    layers()?,
                    reals("input")?,
                    reals("parameters")?,
                    rest.first_mut().map(|(_, kept)| kept.as_mut_slice()),
                    output,
                );
            }
            (Parameters::WeightGradient(parameters), [(_, gradients)]) => {
                weight_gradient(parameters, &step, reals("input")?, reals("delta")?, gradients);
            }
            (Parameters::InputGradient(parameters), [(_, delta_below)]) => {
                let (functions, act_parameters) = activation()?;
                let kept = call.buffer("pre_activation").map(|id| self.reals(id)).transpose()?;
                input_gradient(
                    parameters,
                    &step,
                    &functions,
                    act_parameters,
                    layers()?,
                    reals("delta")?,
                    reals("parameters")?,
                    reals("below")?,
                    kept,
                    delta_below,
                );
            }
            (Parameters::Loss(parameters), [(_, delta), (_, row_statistics)]) => {
                let row = call.variants.loss.ok_or_else(|| lacking("loss"))?;
                let terms: Vec<(Term<R>, usize)> = call
                    .variants
                    .terms
                    .iter()
                    .map(|row| (R::term(row), row.width(parameters.outputs as usize)))
                    .collect();
                loss(
                    parameters,
                    &step,
                    R::row_loss(row),
                    &terms,
                    reals("logits")?,
                    reals("targets")?,
                    delta,
                    row_statistics,
                    state,
                );
            }
            (Parameters::GradientStatistics(parameters), [(_, partials)]) => gradient_statistics(
                parameters,
                &step,
                reals("parameters")?,
                reals("gradients")?,
                reals("block_settings")?,
                partials,
            ),
            (Parameters::OptimizerStep(parameters), [(_, weights), (_, m0), (_, m1), (_, m2)]) => {
                let (row, form) = call.variants.optimizer.ok_or_else(|| lacking("optimizer"))?;
                // Buffers of moments that the form does not keep are stubs.
                let [kept0, kept1, kept2] = (row.moments)(form);
                let kept = |values: &[R], kept: bool| if kept { values.len() } else { 0 };
                let lengths = [kept(m0, kept0), kept(m1, kept1), kept(m2, kept2)];
                optimizer_step(
                    parameters,
                    &step,
                    R::opt_step(row),
                    form,
                    reals("gradients")?,
                    reals("block_settings")?,
                    weights,
                    [&mut m0[..lengths[0]], &mut m1[..lengths[1]], &mut m2[..lengths[2]]],
                    state,
                );
            }
            (Parameters::FinishStep(parameters), [(_, step_log)]) => finish_step(
                parameters,
                &step,
                reals("row_statistics")?,
                reals("partials")?,
                step_log,
                state,
            ),
            _ => return Err(lacking("outputs")),
        }
        Ok(())
    }
}

impl<R: Twin> Executor for ReferenceExecutor<R> {
    fn write_reals(&mut self, buffer: BufferId, values: &[f64]) -> Result<()> {
        overwrite(self.reals_mut(buffer)?, values.iter().map(|value| R::of(*value)))
    }

    fn share_reals(&mut self, buffer: BufferId, values: &Arc<[f32]>) -> Result<()> {
        overwrite(self.reals_mut(buffer)?, values.iter().map(|value| R::of(f64::from(*value))))
    }

    fn write_words(&mut self, buffer: BufferId, values: &[u32]) -> Result<()> {
        overwrite(self.words_mut(buffer)?, values.iter().copied())
    }

    fn write_steps(&mut self, buffer: BufferId, values: &[StepSettings<f64>]) -> Result<()> {
        overwrite(self.steps_mut(buffer)?, values.iter().map(StepSettings::to))
    }

    fn write_layers(&mut self, buffer: BufferId, values: &[LayerSettings]) -> Result<()> {
        overwrite(self.layers_mut(buffer)?, values.iter().copied())
    }

    fn write_state(&mut self, buffer: BufferId, values: &[MemberState]) -> Result<()> {
        overwrite(self.state_mut(buffer)?, values.iter().copied())
    }

    fn copy(&mut self, from: BufferId, to: BufferId, start: usize, len: usize) -> Result<()> {
        let lacks = || Error::internal(format!("a copy of {len} reals from {start} does not fit"));
        let values = self.reals(from)?.get(start..start + len).ok_or_else(lacks)?.to_vec();
        let to = self.reals_mut(to)?.get_mut(start..start + len).ok_or_else(lacks)?;
        to.copy_from_slice(&values);
        Ok(())
    }

    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        let calls = self.programs[program.0].calls.clone();
        for _ in 0..steps {
            for call in &calls {
                self.call(call)?;
                self.counters.calls += 1;
            }
        }
        Ok(())
    }

    fn read(&mut self, wanted: &[(BufferId, usize)]) -> Result<Vec<Contained>> {
        self.counters.readbacks += 1;
        wanted
            .iter()
            .map(|(id, length)| {
                let short =
                    || Error::internal(format!("{:?} is shorter than {length}", self.names[id.0]));
                match &self.buffers[id.0] {
                    Buffer::Reals(values) => Ok(Contained::Reals(
                        values
                            .get(..*length)
                            .ok_or_else(short)?
                            .iter()
                            .map(|value| value.wide())
                            .collect(),
                    )),
                    Buffer::State(values) => {
                        Ok(Contained::State(values.get(..*length).ok_or_else(short)?.to_vec()))
                    }
                    _ => Err(self.mistaken(*id, "Reals or State")),
                }
            })
            .collect()
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}
