//! The pipeline and the bind groups of whole steps.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::trial::faster_seconds;
use super::{Allowed, UNIFORM, WholeSource, compose};
use crate::backend::Counters;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::fault::{self, PlantedFault};
use crate::backend::gpu::pipelines::{Built, Dispatch, pipeline_of};
use crate::backend::gpu::tuning::Kept;
use crate::error::{Error, Result};
use crate::program::{Plan, Program};

/// Steps of a dispatch, most first.
const STEPS: [u32; 3] = [64, 8, 1];

/// Longest dispatch, far below what drivers take for a hang.
const LONGEST_SECONDS: f64 = 0.05;

/// The whole steps of a program, ready to be dispatched.
#[derive(Debug)]
pub(in crate::backend::gpu) struct Whole {
    /// With the steps that each takes; most first, one last.
    dispatches: Vec<(usize, Dispatch)>,
    /// Most steps of a dispatch, by the time that one takes.
    most: usize,
}

/// How it is chosen whether a program's steps are run whole.
#[derive(Debug)]
pub(in crate::backend::gpu) enum Choice {
    /// They are wherever they can be.
    Always,
    /// By measurements, made once.
    Measured(Box<Kept>),
    /// They are not.
    Never,
}

/// What whole steps are loaded beside.
#[derive(Debug, Clone, Copy)]
pub(in crate::backend::gpu) struct Loading<'a> {
    pub gpu: &'a Gpu,
    pub plan: &'a Plan,
    pub buffers: &'a [wgpu::Buffer],
    pub checked: bool,
}

impl Loading<'_> {
    /// The whole steps of a program; none where it has none, or is faster by its calls.
    pub fn whole(
        self,
        program: &Program,
        calls: &[Dispatch],
        choice: &mut Choice,
        counters: &mut Counters,
    ) -> Result<Option<Whole>> {
        if matches!(choice, Choice::Never) {
            return Ok(None);
        }
        let limits = &self.gpu.limits;
        let allowed = Allowed {
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            invocations: limits
                .max_compute_invocations_per_workgroup
                .min(limits.max_compute_workgroup_size_x),
            uniform_bytes: limits.max_uniform_buffer_binding_size,
        };
        let Some(mut source) = compose(self.plan, program, allowed) else { return Ok(None) };
        if self.gpu.planted_fault.is_some_and(PlantedFault::is_in_whole_steps) {
            source.text = fault::planted(source.text);
        }
        let Choice::Measured(kept) = choice else {
            return self.build(program, &source, counters).map(Some);
        };
        let key = key(program, &source);
        let known = kept.whole_steps(&key);
        if known == Some(None) {
            return Ok(None);
        }
        let whole = self.build(program, &source, counters)?;
        let seconds = match known {
            Some(seconds) => seconds,
            None => {
                let seconds = faster_seconds(self, program, calls, &whole, counters)?;
                kept.put_whole_steps(key, seconds);
                seconds
            }
        };
        Ok(seconds
            .map(|seconds| Whole { most: ((LONGEST_SECONDS / seconds) as usize).max(1), ..whole }))
    }

    fn build(
        self,
        program: &Program,
        source: &WholeSource,
        counters: &mut Counters,
    ) -> Result<Whole> {
        let gpu = self.gpu;
        let label = format!("whole steps of {}", program.name);
        let built = pipeline_of(gpu, &label, &source.text, self.checked)?;
        counters.pipelines += 1;
        let mut dispatches = Vec::with_capacity(STEPS.len());
        for steps in STEPS {
            let uniform = uniform(gpu, program, steps)?;
            counters.buffers += 1;
            let bind_group = bind_group(gpu, &label, source, &built, self.buffers, &uniform)?;
            counters.bind_groups += 1;
            let dispatch = Dispatch {
                pipeline: Arc::clone(&built.pipeline),
                bind_group,
                workgroups: [1, 1, self.plan.members as u32],
                tile: None,
                products: 0,
                source: None,
            };
            dispatches.push((steps as usize, dispatch));
        }
        Ok(Whole { dispatches, most: usize::MAX })
    }
}

/// What a choice is kept by: all that the kernel does.
fn key(program: &Program, source: &WholeSource) -> String {
    let mut hash = Sha256::new();
    hash.update(&source.text);
    program.calls.iter().for_each(|call| hash.update(call.parameters.bytes()));
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Whole {
    /// Most steps of a dispatch.
    pub fn most_steps(&self) -> usize {
        self.most
    }

    /// The dispatches that together are so many steps.
    pub fn dispatches(&self, steps: usize) -> impl Iterator<Item = &Dispatch> {
        let mut left = steps;
        let fitting = self.dispatches.iter().filter(|(taken, _)| *taken <= self.most);
        fitting.flat_map(move |(taken, dispatch)| {
            let times = left / taken;
            left %= taken;
            std::iter::repeat_n(dispatch, times)
        })
    }
}

/// The number of steps, and the uniforms of all calls.
fn uniform(gpu: &Gpu, program: &Program, steps: u32) -> Result<wgpu::Buffer> {
    let mut bytes: Vec<u8> = bytemuck::cast_slice(&[steps, 0, 0, 0]).to_vec();
    for call in &program.calls {
        bytes.extend_from_slice(call.parameters.bytes());
        bytes.resize(bytes.len().next_multiple_of(16), 0);
    }
    gpu.uniform_buffer("the uniform of whole steps", &bytes)
}

fn bind_group(
    gpu: &Gpu,
    label: &str,
    source: &WholeSource,
    built: &Built,
    buffers: &[wgpu::Buffer],
    uniform: &wgpu::Buffer,
) -> Result<wgpu::BindGroup> {
    let mut entries = Vec::with_capacity(built.bindings.len());
    for binding in &built.bindings {
        let buffer = if binding.name == UNIFORM {
            uniform
        } else {
            let id = source.buffers.get(&binding.name).ok_or_else(|| {
                Error::internal(format!("{label}: nothing is bound to {:?}", binding.name))
            })?;
            &buffers[id.0]
        };
        let resource = buffer.as_entire_binding();
        entries.push(wgpu::BindGroupEntry { binding: binding.number, resource });
    }
    gpu.scoped(label, || {
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &built.layout,
            entries: &entries,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Executor;
    use crate::backend::gpu::device::noop_adapter;
    use crate::backend::gpu::executor::GpuExecutor;
    use crate::backend::gpu::pace::Longest;
    use crate::backend::gpu::tile::{Class, Tiles};
    use crate::backend::gpu::tuning::Machine;
    use crate::catalog::activation::ActivationSettings;
    use crate::catalog::loss::{self, LossSettings};
    use crate::catalog::optimizer::{self, Convention, OptimizerForm};
    use crate::network::{LayerShape, Network};
    use crate::program::{Pass, PassKind, PlanRequest, Precision, ProgramId, Update};

    fn plan() -> Plan {
        let layer = LayerShape::new(4, ActivationSettings::linear());
        let network = Network::new(1, 3, &[layer], 1).expect("a network");
        let sgd = optimizer::find("sgd").expect("an optimizer");
        Plan::new(&PlanRequest {
            network: &network,
            loss: LossSettings::new(loss::find("mse").expect("a loss"), Convention::Torch),
            terms: Vec::new(),
            target_width: 1,
            update: Some(Update::new(sgd, OptimizerForm::default())),
            gradient_statistics: false,
            fuses: true,
            precision: Precision::F32,
            splits: false,
            passes: vec![Pass {
                name: "train".to_owned(),
                set: "train".to_owned(),
                kind: PassKind::Train,
                resident_rows: 9,
                batch_rows: 5,
                table_steps: 2,
                weighted: false,
                collected_rows: 0,
            }],
        })
        .expect("a plan")
    }

    fn load(plan: &Plan, choice: &mut Choice) -> GpuExecutor {
        let gpu = Gpu::open(&noop_adapter(20, 128 << 20).expect("noop"), Default::default())
            .expect("a device");
        let tiles = Tiles::new(Class::Discrete, None);
        let longest = Longest::new(None, false);
        let executor = GpuExecutor::new(Arc::new(gpu), plan, &tiles, true, choice, longest, None);
        executor.expect("an executor")
    }

    /// noop's members never move on, so its measurement finds nothing faster.
    #[test]
    fn a_choice_is_measured_once_and_then_kept_to() {
        let plan = plan();
        let machine = Machine {
            vendor: 1,
            device: 2,
            name: String::new(),
            backend: String::new(),
            driver: String::new(),
            wgpu: String::new(),
            checked: true,
            shaders: String::new(),
        };
        let mut choice = Choice::Measured(Box::new(Kept::open(None, machine).0));
        let pipelines = load(&plan, &mut Choice::Never).counters().pipelines;
        for built in [pipelines + 1, pipelines] {
            let executor = load(&plan, &mut choice);
            assert_eq!(executor.counters().pipelines, built);
            assert!(!executor.runs_whole_steps(ProgramId(0)));
        }
        let allowed = Allowed { storage_buffers: 20, invocations: 256, uniform_bytes: 16384 };
        let program = &plan.programs[0];
        let source = compose(&plan, program, allowed).expect("it has whole steps");
        let Choice::Measured(kept) = &mut choice else { panic!("it is measured") };
        assert_eq!(kept.whole_steps(&key(program, &source)), Some(None));
        // A step of 5 ms: dispatches of 8 steps, and no longer.
        kept.put_whole_steps(key(program, &source), Some(0.005));
        let mut executor = load(&plan, &mut choice);
        assert!(executor.runs_whole_steps(ProgramId(0)));
        executor.run_timed(ProgramId(0), 65).expect("a run");
        assert_eq!(executor.counters().calls, 9);
    }
}
