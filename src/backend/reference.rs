//! The reference backend: interprets a plan with the kernels' twins, one member and one call at a
//! time, in f32 or f64. Slow and plain; in f64 it is the oracle that the others are held to.

use std::borrow::Cow;
use std::sync::Arc;

use super::twins::{Bound, Twin, run_twin};
use super::{Backend, Capacity, Contained, Counters, DeviceDescription, Executor};
use crate::error::{Error, Result};
use crate::kernels::loss::Loss;
use crate::kernels::update::Update;
use crate::kernels::{Kernel, Parameters, Step};
use crate::program::{
    BufferId, BufferSpec, Call, Contents, Half, LayerSettings, LossScale, MemberState, NONE, Plan,
    Program, ProgramId, StepSettings, overflows_f16,
};

/// The bindings of gradients that are multiplied by the loss scale, where they are written.
const SCALED: [&str; 3] = ["delta", "delta_below", "residual_gradient"];

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
        Capacity { buffer_bytes: u64::MAX, fuses: true, splits: false, queues: false, halves: true }
    }

    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        let buffers = plan
            .buffers
            .iter()
            .map(|spec| {
                // A part of another buffer has no memory of its own.
                let count = if spec.part_of.is_some() { 0 } else { spec.elements() };
                match spec.contents {
                    // What is stored in f16 stays as it was worked out: the backends' own rounding
                    // is a part of their bounds.
                    Contents::Reals | Contents::Halves => Buffer::Reals(vec![R::zero(); count]),
                    Contents::Words => Buffer::Words(vec![0; count]),
                    Contents::Steps => {
                        Buffer::Steps(vec![StepSettings::<f64>::default().to(); count])
                    }
                    Contents::Layers => Buffer::Layers(vec![LayerSettings::default(); count]),
                    Contents::State => Buffer::State(vec![bytemuck::Zeroable::zeroed(); count]),
                    Contents::Scales => Buffer::Scales(vec![bytemuck::Zeroable::zeroed(); count]),
                }
            })
            .collect();
        Ok(Box::new(ReferenceExecutor::<R> {
            members: plan.members,
            specs: plan.buffers.clone(),
            programs: plan.programs.clone(),
            buffers,
            counters: Counters { buffers: plan.buffers.len() as u64, ..Counters::default() },
        }))
    }
}

/// A buffer that a call writes, taken out meanwhile: its binding, whose memory, which part of it.
type Written<R> = (&'static str, BufferId, std::ops::Range<usize>, Vec<R>);

#[derive(Debug)]
enum Buffer<R> {
    Reals(Vec<R>),
    Words(Vec<u32>),
    Steps(Vec<StepSettings<R>>),
    Layers(Vec<LayerSettings>),
    State(Vec<MemberState>),
    Scales(Vec<LossScale>),
}

#[derive(Debug)]
struct ReferenceExecutor<R> {
    members: usize,
    specs: Vec<BufferSpec>,
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
    Scales, scales, scales_mut, LossScale;
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
        Error::internal(format!("the buffer {:?} is not one of {wanted}", self.specs[id.0].name))
    }

    /// The buffer that holds another's memory, and the elements of it that are the other's.
    fn memory(&self, id: BufferId) -> (BufferId, std::ops::Range<usize>) {
        let spec = &self.specs[id.0];
        let (memory, first) = spec.part_of.map_or((id, 0), |(of, first)| (of, first as usize));
        (memory, first..first + spec.elements())
    }

    /// The reals of a buffer, or of the part of one that it is.
    fn part(&self, id: BufferId) -> Result<&[R]> {
        let (memory, range) = self.memory(id);
        self.reals(memory)?.get(range).ok_or_else(|| {
            Error::internal(format!("{:?} is read while it is written", self.specs[id.0].name))
        })
    }

    fn call(&mut self, call: &Call) -> Result<()> {
        let bound = |name: &str| {
            call.buffer(name).ok_or_else(|| {
                Error::internal(format!("{} has no binding {name:?}", call.kernel.name()))
            })
        };
        let (steps_id, state_id) = (bound("steps")?, bound("state")?);
        // Taken out while it is written, so that the others can be read.
        let mut state = std::mem::take(self.state_mut(state_id)?);
        let mut written = Vec::new();
        for name in call.kernel.outputs() {
            if let Some(id) = call.buffer(name) {
                let (memory, range) = self.memory(id);
                written.push((*name, memory, range, std::mem::take(self.reals_mut(memory)?)));
            }
        }
        let scales_id = call.buffer("loss_scale");
        let mut scales = match scales_id {
            Some(id) => std::mem::take(self.scales_mut(id)?),
            None => Vec::new(),
        };
        let mut done = Ok(());
        if let Some(heads) = call.heads() {
            done = self.call_of_heads(call, heads, steps_id, &mut state, &mut written);
        } else {
            for (member, own) in state.iter_mut().enumerate().take(self.members) {
                let scale = scales.get_mut(member);
                done = self.member_call(call, member, steps_id, own, scale, &mut written);
                if done.is_err() {
                    break;
                }
            }
        }
        for (_, id, _, values) in written {
            *self.reals_mut(id)? = values;
        }
        *self.state_mut(state_id)? = state;
        if let Some(id) = scales_id {
            *self.scales_mut(id)? = scales;
        }
        done
    }

    /// A call of all heads of a network at once, for each network. They keep step with each other, so the
    /// first one's is that of all.
    fn call_of_heads(
        &self,
        call: &Call,
        heads: usize,
        steps: BufferId,
        states: &mut [MemberState],
        written: &mut [Written<R>],
    ) -> Result<()> {
        let half = call.kernel.half();
        for (index, own) in states.chunks_exact_mut(heads).enumerate() {
            self.network_call(call, index * heads, steps, half, own, written)?;
        }
        Ok(())
    }

    fn network_call(
        &self,
        call: &Call,
        first: usize,
        steps: BufferId,
        half: Half,
        heads: &mut [MemberState],
        written: &mut [Written<R>],
    ) -> Result<()> {
        let stopped: Vec<bool> = heads.iter().map(|state| state.has_stopped(half)).collect();
        let Some(state) = heads.first_mut() else { return Ok(()) };
        let row = state.row(half) * self.members + first;
        let settings = *self.steps(steps)?.get(row).ok_or_else(|| {
            Error::internal(format!("{:?} has no row {row}", self.specs[steps.0].name))
        })?;
        let mut slices: Vec<(&'static str, &mut [R])> = written
            .iter_mut()
            .map(|(name, _, range, values)| (*name, &mut values[range.clone()]))
            .collect();
        run_twin(&mut Bound {
            call,
            step: Step { member: first, settings, order: None, unscale: R::one() },
            layers: &[],
            reals: &|id| self.part(id),
            words: &|id| self.words(id),
            written: &mut slices,
            state,
            stopped: &stopped,
        })
    }

    fn member_call(
        &self,
        call: &Call,
        member: usize,
        steps: BufferId,
        state: &mut MemberState,
        mut scale: Option<&mut LossScale>,
        written: &mut [Written<R>],
    ) -> Result<()> {
        let steps_table = self.steps(steps)?;
        let half = call.kernel.half();
        let loss_scale = match (call.kernel, scale.as_deref_mut()) {
            (Kernel::Loss, Some(scale)) => R::of(f64::from(scale.begin_step())),
            _ => R::one(),
        };
        let ends_steps = call.kernel == Kernel::FinishStep || call.kernel.is_grouped();
        if state.has_stopped(half) && !ends_steps {
            if matches!(call.parameters, Parameters::Loss(Loss { training: 1, .. })) {
                let step_of = |row: usize| steps_table.get(row * self.members + member);
                state.settle(|row| step_of(row).map_or(NONE, |settings| settings.step));
            }
            return Ok(());
        }
        let row = state.row(half) * self.members + member;
        let mut settings = *steps_table.get(row).ok_or_else(|| {
            Error::internal(format!("{:?} has no row {row}", self.specs[steps.0].name))
        })?;
        let mut unscale = R::one();
        if let Some(scale) = scale.as_deref_mut() {
            unscale /= R::of(f64::from(scale.backward));
            match call.kernel {
                Kernel::Loss => settings.share *= loss_scale,
                kernel if kernel.follows_gradient() && scale.has_overflowed(settings.step) => {
                    return Ok(());
                }
                Kernel::FinishStep if settings.updates == 1 => {
                    scale.end_step(settings.step, state);
                }
                _ => {}
            }
        }
        let mut call = Cow::Borrowed(call);
        if let (Parameters::Update(update), Some(scale)) = (call.parameters, scale.as_deref_mut()) {
            if scale.has_overflowed(settings.step) {
                call.to_mut().parameters = Parameters::Update(Update { layers: 0, ..update });
            }
            if update.finishes == 1 && settings.updates == 1 {
                scale.end_step(settings.step, state);
            }
        }
        let call = call.as_ref();
        let order = match call.buffer("order") {
            Some(id) if call.variants.gathered => Some(self.words(id)?),
            _ => None,
        };
        let layers = match call.buffer("layers") {
            Some(id) => self.layers(id)?,
            None => &[],
        };
        let mut slices: Vec<(&'static str, &mut [R])> = written
            .iter_mut()
            .map(|(name, _, range, values)| (*name, &mut values[range.clone()]))
            .collect();
        run_twin(&mut Bound {
            call,
            step: Step { member, settings, order, unscale },
            layers,
            reals: &|id| self.part(id),
            words: &|id| self.words(id),
            written: &mut slices,
            state,
            stopped: &[],
        })?;
        if let Some(scale) = scale {
            let gradients = written.iter().filter(|(name, ..)| SCALED.contains(name));
            let overflows = gradients.into_iter().any(|(_, _, range, values)| {
                let own = range.len() / self.members;
                let own = &values[range.start + member * own..][..own];
                own.iter().any(|x| overflows_f16(x.wide()))
            });
            if overflows {
                scale.overflowed = settings.step;
            }
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

    fn write_scales(&mut self, buffer: BufferId, values: &[LossScale]) -> Result<()> {
        overwrite(self.scales_mut(buffer)?, values.iter().copied())
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
                let name = &self.specs[id.0].name;
                let short = || Error::internal(format!("{name:?} is shorter than {length}"));
                match &self.buffers[id.0] {
                    Buffer::Reals(_) => Ok(Contained::Reals(
                        self.part(*id)?
                            .get(..*length)
                            .ok_or_else(short)?
                            .iter()
                            .map(|value| value.wide())
                            .collect(),
                    )),
                    Buffer::State(values) => {
                        Ok(Contained::State(values.get(..*length).ok_or_else(short)?.to_vec()))
                    }
                    Buffer::Scales(values) => {
                        Ok(Contained::Scales(values.get(..*length).ok_or_else(short)?.to_vec()))
                    }
                    _ => Err(self.mistaken(*id, "Reals, State or Scales")),
                }
            })
            .collect()
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}
