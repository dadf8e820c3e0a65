//! The loop allocates nothing: counted by the allocator, in a process of its own.
//!
//! The libraries underneath do allocate: wgpu keeps the commands of a pass, `gemm` packs the operands
//! of a product. So wgfit's loop is held to a bare loop over the same library that does nothing else:
//! on wgpu's `noop` backend one that records as many dispatches of as many bindings, on the CPU one
//! of products of the same shapes. Beyond those, a step has no allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions};
use wgfit::backend::{Backend, Executor};
use wgfit::catalog::activation::{self, ActivationSettings};
use wgfit::catalog::loss::{self, LossSettings};
use wgfit::catalog::optimizer::{self, Convention, OptimizerForm};
use wgfit::kernels::Kernel;
use wgfit::network::{LayerShape, Network};
use wgfit::program::{
    Call, MemberState, Pass, PassKind, Plan, PlanRequest, Precision, ProgramId, StepSettings,
    Update,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Few enough that wgfit puts them into one submit, once it has seen that a step is short.
const STEPS: usize = 64;

/// Rounds that are counted, and those before: queues, trackers and submits have grown by then.
const ROUNDS: u64 = 16;
const WARM_UP: u64 = 32;

/// Allocations a step of a round of [`STEPS`] steps.
fn allocations_a_step(mut round: impl FnMut()) -> f64 {
    (0..WARM_UP).for_each(|_| round());
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..ROUNDS).for_each(|_| round());
    let counted = ALLOCATIONS.load(Ordering::Relaxed) - before;
    counted as f64 / (ROUNDS * STEPS as u64) as f64
}

fn plan(fuses: bool) -> Plan {
    let relu = activation::find("relu").expect("relu");
    let relu = ActivationSettings::new(relu, Convention::Torch);
    let hidden = [LayerShape::new(32, relu), LayerShape::new(16, relu)];
    let network = Network::new(1, 13, &hidden, 3).expect("a small network");
    let row = loss::find("categorical_cross_entropy").expect("a loss");
    let adam = optimizer::find("adam").expect("adam");
    Plan::new(&PlanRequest {
        network: &network,
        loss: LossSettings::new(row, Convention::Torch),
        terms: Vec::new(),
        target_width: 1,
        update: Some(Update::new(adam, OptimizerForm::default())),
        gradient_statistics: false,
        fuses,
        precision: Precision::F32,
        splits: false,
        passes: vec![Pass {
            name: "train".to_owned(),
            set: "train".to_owned(),
            kind: PassKind::Train,
            resident_rows: 16 * STEPS,
            batch_rows: 16,
            table_steps: STEPS,
            weighted: false,
            collected_rows: 0,
        }],
    })
    .expect("a plan")
}

fn loaded(plan: &Plan, backend: &dyn Backend) -> Box<dyn Executor> {
    let mut executor = backend.load(plan).expect("a small plan");
    let buffer = |name: &str| plan.buffer(name).expect("a buffer");
    let steps: Vec<StepSettings<f64>> = (0..STEPS)
        .map(|step| StepSettings {
            first_row: step as u32 * 16,
            rows: 16,
            step: 1,
            batch: 1,
            updates: 1,
            share: 1.0 / 16.0,
            learning_rate: 1e-3,
            epsilon: 1e-8,
            beta1: 0.9,
            beta2: 0.999,
            coefficients: [1.0; 4],
            ..StepSettings::default()
        })
        .collect();
    executor.write_steps(buffer("train.train.steps"), &steps).expect("steps");
    let order: Vec<u32> = (0..16 * STEPS as u32).collect();
    executor.write_words(buffer("train.train.order"), &order).expect("order");
    let weights = plan.buffers[buffer("parameters").0].words as usize;
    let weights: Vec<f64> = (0..weights).map(|i| (i % 7) as f64 / 70.0 - 0.05).collect();
    executor.write_reals(buffer("parameters"), &weights).expect("weights");
    let features: Vec<f64> = (0..16 * STEPS * 13).map(|i| (i % 11) as f64 / 11.0).collect();
    executor.write_reals(buffer("train.features"), &features).expect("features");
    executor
}

/// Storage buffers of a kernel: as many as a fused step binds, and some.
const BUFFERS: u32 = 16;

fn limits() -> wgpu::Limits {
    wgpu::Limits { max_storage_buffers_per_shader_stage: BUFFERS, ..wgpu::Limits::default() }
}

/// What a step of the bare loop records for a call: one of its own pipelines, with as many buffers
/// bound, half of them read and half written.
struct Bare {
    device: wgpu::Device,
    queue: wgpu::Queue,
    dispatches: Vec<(wgpu::ComputePipeline, wgpu::BindGroup)>,
    under_way: std::collections::VecDeque<wgpu::SubmissionIndex>,
}

impl Bare {
    fn new(calls: &[Call]) -> Self {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::NOOP;
        descriptor.flags = wgpu::InstanceFlags::empty();
        descriptor.backend_options.noop.enable = true;
        descriptor.backend_options.noop.limits = Some(limits());
        let instance = wgpu::Instance::new(descriptor);
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
        let adapter = adapters.into_iter().next().expect("wgpu has a noop backend");
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            required_limits: limits(),
            ..wgpu::DeviceDescriptor::default()
        }))
        .expect("the noop backend opens");
        let dispatches = calls.iter().map(|call| dispatch(&device, call.bindings.len())).collect();
        Self { device, queue, dispatches, under_way: std::collections::VecDeque::with_capacity(4) }
    }

    fn run(&mut self) {
        while self.under_way.len() >= 3 {
            let submission_index = self.under_way.pop_front();
            let wait = wgpu::PollType::Wait { submission_index, timeout: None };
            self.device.poll(wait).expect("the noop backend answers");
        }
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..STEPS {
                for (pipeline, bind_group) in &self.dispatches {
                    pass.set_pipeline(pipeline);
                    pass.set_bind_group(0, bind_group, &[]);
                    pass.dispatch_workgroups(1, 1, 1);
                }
            }
        }
        self.under_way.push_back(self.queue.submit([encoder.finish()]));
    }
}

fn dispatch(device: &wgpu::Device, bindings: usize) -> (wgpu::ComputePipeline, wgpu::BindGroup) {
    let mut source = String::new();
    let mut body = String::new();
    for i in 0..bindings {
        let access = if i % 2 == 0 { "read_write" } else { "read" };
        source += &format!("@group(0) @binding({i}) var<storage, {access}> b{i}: array<u32>;\n");
        body += &if i % 2 == 0 { format!("b{i}[0] = 1u;\n") } else { format!("_ = b{i}[0];\n") };
    }
    source += &format!("@compute @workgroup_size(1) fn main() {{ {body} }}");
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let buffers: Vec<wgpu::Buffer> = (0..bindings)
        .map(|_| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 64,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            })
        })
        .collect();
    let entries: Vec<_> = buffers
        .iter()
        .enumerate()
        .map(|(i, buffer)| wgpu::BindGroupEntry {
            binding: i as u32,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    (pipeline, bind_group)
}

/// The matrix products of a step, and nothing else.
fn bare_products(calls: &[Call]) {
    for call in calls.iter().filter(|call| call.kernel.is_matmul()) {
        let shape = call.shape(16);
        let [m, n, k] = [shape.rows, shape.columns, shape.depth].map(|size| size as usize);
        // The bias's column is no part of the product.
        let n = if call.kernel == Kernel::WeightGradient { n - 1 } else { n };
        let (mut out, a, b) = ([0.0_f32; 1024], [1.0_f32; 1024], [1.0_f32; 1024]);
        let (rows, columns, depth) = (m as isize, n as isize, k as isize);
        assert!(m * n <= 1024 && m * k <= 1024 && n * k <= 1024);
        // SAFETY: the matrices lie within the arrays, whose sizes were just held against theirs.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                out.as_mut_ptr(),
                1,
                columns,
                false,
                a.as_ptr(),
                if call.kernel == Kernel::WeightGradient { rows } else { 1 },
                if call.kernel == Kernel::WeightGradient { 1 } else { depth },
                b.as_ptr(),
                if call.kernel == Kernel::DenseForward { depth } else { 1 },
                if call.kernel == Kernel::DenseForward { 1 } else { columns },
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        std::hint::black_box(&out);
    }
}

/// One test: allocations of another would be counted too.
#[test]
fn the_loop_allocates_nothing() {
    let train = ProgramId(0);
    // The counter counts: one a step that is planted is seen as one.
    let planted = allocations_a_step(|| {
        (0..STEPS).for_each(|step| drop(std::hint::black_box(Box::new(step))));
    });
    assert!((0.99..1.5).contains(&planted), "{planted} allocations a step for one planted");

    // Both forms of a step: a kernel for each part, and the fused one.
    for fuses in [false, true] {
        let plan = plan(fuses);
        let calls = &plan.programs[train.0].calls;
        let mut bare = Bare::new(calls);
        let recorded = allocations_a_step(|| bare.run());
        let noop = GpuBackend::noop(GpuOptions::default(), BUFFERS).expect("a noop backend");
        assert!(noop.capacity().fuses, "{BUFFERS} storage buffers are enough for a fused step");
        let mut executor = loaded(&plan, &noop);
        let ours = allocations_a_step(|| executor.run(train, STEPS).expect("a run"));
        println!(
            "allocations a step of {} calls: wgfit {ours:.3}, a bare wgpu loop of as many \
             dispatches {recorded:.3}",
            calls.len()
        );
        assert!(ours - recorded < 0.5, "wgfit {ours}, bare wgpu {recorded} allocations a step");
    }

    let plan = plan(false);
    let calls = &plan.programs[train.0].calls;
    let products = allocations_a_step(|| (0..STEPS).for_each(|_| bare_products(calls)));
    let cpu = CpuBackend::with_threads(1).expect("a thread");
    let mut executor = loaded(&plan, &cpu);
    let state = plan.buffer("train.train.state").expect("the state");
    let on_cpu = allocations_a_step(|| {
        executor.write_state(state, &[MemberState::START]).expect("state");
        executor.run(train, STEPS).expect("a run");
    });
    println!("on the CPU: wgfit {on_cpu:.3}, its products alone {products:.3}");
    assert!(on_cpu - products < 0.5, "the CPU backend {on_cpu}, its products {products}");
}
