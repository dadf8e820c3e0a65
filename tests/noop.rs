//! Whole plans on wgpu's `noop` backend, at WebGPU's default limits: every pipeline and bind group
//! is validated, nothing is computed, no GPU is needed.

use wgfit::backend::gpu::tile;
use wgfit::backend::gpu::{GpuBackend, GpuOptions, Tile, WholeSteps};
use wgfit::backend::{Backend, Executor};
use wgfit::catalog::activation::{self, ACTIVATIONS, ActivationRow, ActivationSettings};
use wgfit::catalog::loss::{self, LOSSES, LossSettings, Shape};
use wgfit::catalog::metric::TERMS;
use wgfit::catalog::optimizer::{self, Convention, OPTIMIZERS, OptimizerForm};
use wgfit::config::data::Task;
use wgfit::error::Error;
use wgfit::kernels::Kernel;
use wgfit::network::{EmbeddingShape, LayerShape, Network};
use wgfit::program::{
    Contents, MemberState, Pass, PassKind, Plan, PlanRequest, Precision, StepSettings, Update,
};

fn backend() -> GpuBackend {
    backend_with(None, 8)
}

/// One that binds as many storage buffers as most adapters do.
fn roomy_backend() -> GpuBackend {
    backend_with(None, 16)
}

fn backend_with(tile: Option<Tile>, storage_buffers: u32) -> GpuBackend {
    let options = GpuOptions { tile, ..GpuOptions::default() };
    GpuBackend::noop(options, storage_buffers).expect("wgpu has a noop backend")
}

fn network(members: usize, layers: usize, activation: &'static ActivationRow) -> Network {
    let activation = ActivationSettings::new(activation, Convention::Torch);
    let shape = LayerShape { dropout: 0.25, ..LayerShape::new(33, activation) };
    Network::new(members, 7, &vec![shape; layers], 3).expect("a small network")
}

fn pass(set: &str, kind: PassKind) -> Pass {
    Pass {
        name: set.to_owned(),
        set: set.to_owned(),
        kind,
        resident_rows: 100,
        batch_rows: 32,
        table_steps: 10,
        weighted: true,
        collected_rows: 100,
    }
}

fn request<'a>(
    network: &'a Network,
    loss: &str,
    optimizer: &str,
    form: OptimizerForm,
) -> PlanRequest<'a> {
    let row = loss::find(loss).expect("a loss");
    let classes = !row.tasks.contains(&Task::Regression);
    let loss = LossSettings::new(row, Convention::Torch);
    let terms = TERMS.iter().filter(|term| term.per_output != classes).collect();
    PlanRequest {
        network,
        loss,
        terms,
        target_width: if row.shape == Shape::Softmax { 1 } else { network.outputs() },
        update: Some(Update::new(optimizer::find(optimizer).expect("an optimizer"), form)),
        gradient_statistics: true,
        fuses: false,
        precision: Precision::F32,
        splits: false,
        passes: vec![
            pass("train", PassKind::Train),
            pass("validation", PassKind::Evaluate),
            pass("rows", PassKind::Predict),
        ],
    }
}

fn load(backend: &GpuBackend, plan: &Plan, name: &str) -> Box<dyn Executor> {
    backend.load(plan).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_network_loads() {
    let backend = backend();
    for activation in &ACTIVATIONS {
        for layers in [0, 1, 2, 4] {
            for members in [1, 8] {
                let network = network(members, layers, activation);
                let form = OptimizerForm::default();
                let plan = Plan::new(&request(&network, "mse", "adam", form)).expect("a plan");
                let name = format!("{} x {layers}, {members} members", activation.name);
                let executor = load(&backend, &plan, &name);
                let calls = plan.programs.iter().map(|program| program.calls.len()).sum::<usize>();
                assert_eq!(executor.counters().bind_groups, calls as u64, "{name}");
            }
        }
    }
}

/// Of one table, and of more than a call takes; alone, with hidden layers, evaluated and predicted
/// with.
#[test]
fn networks_with_learned_tables_load() {
    let backends = [backend(), roomy_backend()];
    for embeddings in [1, 16, 17, 40] {
        for hidden in [0, 2] {
            let shape = |i| EmbeddingShape { column: i * 2, categories: 3 + i, size: 1 + i % 5 };
            let shapes: Vec<EmbeddingShape> = (0..embeddings).map(shape).collect();
            let relu = ActivationSettings::new(&ACTIVATIONS[1], Convention::Torch);
            let layer = |units| LayerShape::new(units, relu);
            let layers = vec![layer(33); hidden];
            let output = LayerShape::new(3, ActivationSettings::linear());
            let network = Network::embedded(3, 80, &shapes, &layers, output).expect("a network");
            let mut request = request(&network, "mse", "adam", OptimizerForm::default());
            (request.fuses, request.gradient_statistics) = (true, false);
            let plan = Plan::new(&request).expect("a plan");
            assert!(plan.buffer("gradients").is_ok(), "no step of it is fused");
            let parts = usize::div_ceil(embeddings, 16);
            for (program, more) in plan.programs.iter().zip([1 + 2 * parts, parts, parts]) {
                let kernels = [Kernel::Embedding, Kernel::ZeroGradients, Kernel::EmbeddingGradient];
                let own = program.calls.iter().filter(|call| kernels.contains(&call.kernel));
                assert_eq!(own.count(), more, "{}", program.name);
            }
            for backend in &backends {
                let executor = load(backend, &plan, &format!("{embeddings} tables"));
                let calls = plan.programs.iter().map(|program| program.calls.len()).sum::<usize>();
                assert_eq!(executor.counters().bind_groups, calls as u64);
            }
        }
    }
}

#[test]
fn every_tile_loads() {
    let network = network(2, 2, &ACTIVATIONS[0]);
    let form = OptimizerForm::default();
    let request = request(&network, "mse", "adam", form);
    let plain = Plan::new(&request).expect("a plan");
    let fused = PlanRequest { fuses: true, gradient_statistics: false, ..request };
    let fused = Plan::new(&fused).expect("a plan");
    let mut loaded = 0;
    for tile in tile::all() {
        // noop has no subgroups.
        let name = tile.to_string();
        if !name.contains("round") && !name.contains("subgroup") {
            let backend = backend_with(Some(tile), 16);
            load(&backend, &plain, &tile.to_string());
            load(&backend, &fused, &tile.to_string());
            loaded += 1;
        }
    }
    assert!(loaded >= 12, "only {loaded}");
}

#[test]
fn every_loss_and_every_form_of_every_optimizer_loads() {
    let backend = backend();
    let network = network(2, 1, &ACTIVATIONS[0]);
    for loss in &LOSSES {
        let plan = Plan::new(&request(&network, loss.name, "sgd", OptimizerForm::default()));
        load(&backend, &plan.expect("a plan"), loss.name);
    }
    for optimizer in &OPTIMIZERS {
        for form in OptimizerForm::all(optimizer) {
            let plan = Plan::new(&request(&network, "mse", optimizer.name, form));
            load(&backend, &plan.expect("a plan"), &format!("{} {form:?}", optimizer.name));
        }
    }
}

#[test]
fn a_step_is_at_most_three_calls_a_layer_and_three() {
    for hidden in [0, 1, 2, 4] {
        let network = network(1, hidden, &ACTIVATIONS[1]);
        let mut request = request(&network, "mse", "adam", OptimizerForm::default());
        request.gradient_statistics = false;
        let plan = Plan::new(&request).expect("a plan");
        let layers = hidden + 1;
        let calls = plan.programs[plan.program("train.train").expect("a program").0].calls.len();
        assert!(calls <= 3 * layers + 3, "{calls} calls for {layers} layers");
    }
}

#[test]
fn a_fused_step_is_two_calls_a_layer_and_one() {
    assert!(!backend().capacity().fuses, "8 storage buffers are too few");
    let backend = roomy_backend();
    assert!(backend.capacity().fuses);
    for hidden in [0, 1, 2, 4] {
        let network = network(3, hidden, &ACTIVATIONS[1]);
        let mut request = request(&network, "mse", "adam", OptimizerForm::default());
        request.gradient_statistics = false;
        request.fuses = true;
        let plan = Plan::new(&request).expect("a plan");
        let program = plan.program("train.train").expect("a program");
        let calls = plan.programs[program.0].calls.len();
        assert_eq!(calls, 2 * (hidden + 1) + 1);
        load(&backend, &plan, &format!("{hidden} hidden layers"));
        // A plan whose activations do not fit one buffer together is a plain one.
        let plain = Plan::within(&request, 1 << 10).expect("a plan");
        assert!(plain.buffer("gradients").is_ok() && plan.buffer("gradients").is_err());
    }
}

#[test]
fn whole_steps_load_where_networks_are_small() {
    let form = OptimizerForm::default();
    for checked in [false, true] {
        let options = GpuOptions {
            checked_shaders: Some(checked),
            whole_steps: Some(WholeSteps::Always),
            ..GpuOptions::default()
        };
        let backend = GpuBackend::noop(options, 20).expect("wgpu has a noop backend");
        let runs_whole = |network: &Network, fuses: bool, average: bool| {
            let mut request = request(network, "mse", "adam", form);
            (request.gradient_statistics, request.fuses) = (false, fuses);
            request.update.as_mut().expect("an update").average = average;
            // What other passes' batches are is no part of a training step's size.
            request.passes[1].batch_rows = 4096;
            request.passes[1].resident_rows = 4096;
            request.passes[1].collected_rows = 4096;
            let plan = Plan::new(&request).expect("a plan");
            let mut executor = load(&backend, &plan, "a small network");
            let train = plan.program("train.train").expect("a program");
            let before = executor.counters();
            executor.run_timed(train, 130).expect("a run");
            let whole = executor.runs_whole_steps(train);
            let calls = executor.counters().calls - before.calls;
            assert_eq!(
                calls,
                if whole { 4 } else { 130 * plan.programs[train.0].calls.len() as u64 }
            );
            for set in ["evaluate.validation", "predict.rows"] {
                assert!(!executor.runs_whole_steps(plan.program(set).expect("a program")));
            }
            whole
        };
        for activation in &ACTIVATIONS[..6] {
            for hidden in 0..4 {
                assert!(runs_whole(&network(3, hidden, activation), true, false));
            }
        }
        let small = network(1, 1, &ACTIVATIONS[1]);
        assert!(!runs_whole(&small, false, false), "the step is not fused");
        assert!(!runs_whole(&small, true, true), "a call is of another kind");
        let relu = ActivationSettings::new(&ACTIVATIONS[1], Convention::Torch);
        let large = Network::new(1, 400, &[LayerShape::new(400, relu)], 3).expect("a network");
        assert!(!runs_whole(&large, true, false), "the network is large");
    }
}

#[test]
fn equal_layers_share_a_pipeline() {
    let loaded = |layers| {
        let network = network(1, layers, activation::find("relu").expect("relu"));
        let form = OptimizerForm::default();
        let plan = Plan::new(&request(&network, "mse", "adam", form)).expect("a plan");
        load(&backend(), &plan, "relu").counters().pipelines
    };
    assert!(loaded(2) > 5);
    assert_eq!(loaded(4), loaded(2));
}

#[test]
fn the_loop_makes_nothing() {
    let backend = backend();
    let network = network(8, 2, &ACTIVATIONS[1]);
    let plan =
        Plan::new(&request(&network, "mse", "adam", OptimizerForm::default())).expect("a plan");
    let mut executor = load(&backend, &plan, "relu");
    let buffer = |name: &str| plan.buffer(name).expect("a buffer");
    let train = plan.program("train.train").expect("a program");
    let epoch = |executor: &mut Box<dyn Executor>| {
        let rows = vec![StepSettings { rows: 32, ..StepSettings::default() }; 80];
        executor.write_steps(buffer("train.train.steps"), &rows).expect("steps");
        executor.write_words(buffer("train.train.order"), &[0; 800]).expect("order");
        executor.write_state(buffer("train.train.state"), &[MemberState::START; 8]).expect("state");
        executor.run(train, 100).expect("a run");
        let (from, to) = (buffer("parameters"), buffer("best_parameters"));
        executor.copy(from, to, network.stride, network.stride).expect("a copy");
        let wanted = [(buffer("train.train.log"), 40), (buffer("train.train.state"), 8)];
        let read = executor.read(&wanted).expect("a readback");
        assert_eq!(read[0].clone().into_reals().len(), 40);
        assert_eq!(read[1].clone().into_state().len(), 8);
    };
    epoch(&mut executor);
    let before = executor.counters();
    epoch(&mut executor);
    let after = executor.counters();
    let calls = plan.programs[train.0].calls.len() as u64;
    assert_eq!(after.calls - before.calls, 100 * calls);
    assert_eq!(after.readbacks - before.readbacks, 1);
    assert_eq!(
        (after.buffers, after.pipelines, after.bind_groups),
        (before.buffers, before.pipelines, before.bind_groups)
    );
}

#[test]
fn what_does_not_fit_is_said_before_anything_is_made() {
    let backend = backend();
    let mut plan = Plan::empty(1);
    plan.add("train.features", Contents::Reals, 100_000_000);
    let error = backend.load(&plan).err().expect("128 MiB are allowed");
    let Error::TooLarge { what, needed, allowed, .. } = error else { panic!("{error}") };
    assert!(what.contains("train.features"), "{what}");
    assert_eq!((needed, allowed), (400_000_000, 128 << 20));
    assert_eq!(backend.capacity().buffer_bytes, 128 << 20);

    let network = Network::new(70_000, 1, &[], 1).expect("a small network");
    let mut request = request(&network, "mse", "sgd", OptimizerForm::default());
    request.passes.truncate(1);
    request.passes[0].batch_rows = 1;
    request.passes[0].resident_rows = 1;
    request.passes[0].table_steps = 1;
    let plan = Plan::new(&request).expect("a plan");
    let error = backend.load(&plan).err().expect("65535 members are allowed").to_string();
    assert!(error.contains("70000") && error.contains("65535"), "{error}");
}

#[test]
fn wrong_requests_are_errors() {
    let backend = backend();
    let mut plan = Plan::empty(1);
    let reals = plan.add("reals", Contents::Reals, 4);
    let words = plan.add("words", Contents::Words, 4);
    let mut executor = load(&backend, &plan, "two buffers");
    assert!(executor.write_reals(reals, &[0.0; 4]).is_ok());
    assert!(executor.write_reals(reals, &[0.0; 5]).is_err());
    assert!(executor.write_reals(words, &[0.0; 4]).is_err());
    assert!(executor.copy(reals, words, 0, 4).is_err());
    assert!(executor.read(&[(reals, 5)]).is_err());
    assert!(executor.run(wgfit::program::ProgramId(0), 1).is_err());
}
