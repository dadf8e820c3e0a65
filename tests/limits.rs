//! Networks and data at the edges of what devices allow, on wgpu's `noop` backend: bindings of 128 MiB and
//! of 2 GiB, 65,535 workgroups a dimension, 2^32 elements. What fits is dispatched, and wgpu validates
//! every dispatch; what does not is refused with both figures, before anything of that size is made.

use wgfit::backend::Backend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions};
use wgfit::catalog::activation::{self, ActivationSettings};
use wgfit::catalog::loss::{self, LossSettings};
use wgfit::catalog::optimizer::{self, Convention, OptimizerForm};
use wgfit::error::{Error, Result};
use wgfit::network::{LayerShape, Network};
use wgfit::program::{Contents, Pass, PassKind, Plan, PlanRequest, Precision, Update};

const MIB_128: u64 = 128 << 20;
const GIB_2: u64 = 2 << 30;

fn backend(binding_bytes: u64) -> GpuBackend {
    GpuBackend::noop_of(GpuOptions::default(), 16, binding_bytes).expect("wgpu has a noop backend")
}

/// Members of one hidden layer of so many units on so many inputs, with one output.
fn network(members: usize, inputs: usize, units: usize) -> Result<Network> {
    let relu = ActivationSettings::new(activation::find("relu").expect("relu"), Convention::Torch);
    Network::new(members, inputs, &[LayerShape::new(units, relu)], 1)
}

/// A plan of one pass over batches of so many rows.
fn plan(network: &Network, kind: PassKind, rows: usize) -> Result<Plan> {
    let trains = kind == PassKind::Train;
    let sgd = optimizer::find("sgd").expect("sgd");
    Plan::new(&PlanRequest {
        network,
        loss: LossSettings::new(loss::find("mse").expect("mse"), Convention::Torch),
        terms: Vec::new(),
        target_width: 1,
        update: trains.then(|| Update::new(sgd, OptimizerForm::default())),
        gradient_statistics: false,
        fuses: false,
        precision: Precision::F32,
        splits: false,
        passes: vec![Pass {
            name: "pass".to_owned(),
            set: "set".to_owned(),
            kind,
            resident_rows: rows,
            batch_rows: rows,
            table_steps: 1,
            weighted: false,
            collected_rows: 0,
        }],
    })
}

/// Loads a plan and runs every program of it once.
fn run(backend: &GpuBackend, plan: &Plan) -> Result<()> {
    let mut executor = backend.load(plan)?;
    for program in 0..plan.programs.len() {
        executor.run(wgfit::program::ProgramId(program), 1)?;
    }
    executor.read(&[(plan.buffer("parameters")?, 1)]).map(|_| ())
}

#[test]
fn a_binding_may_be_as_large_as_it_may_be_and_not_a_word_larger() {
    for allowed in [MIB_128, GIB_2] {
        let backend = backend(allowed);
        assert_eq!(backend.capacity().buffer_bytes, allowed);
        // wgpu's noop backend makes its buffers in memory, where 2 GiB take their time.
        let at_most = (allowed == MIB_128).then_some((allowed / 4, true));
        for (words, fits) in at_most.into_iter().chain([(allowed / 4 + 1, false)]) {
            let mut plan = Plan::empty(1);
            plan.add("parameters", Contents::Reals, words as usize);
            match backend.load(&plan) {
                Ok(_) => assert!(fits, "{words} words in {allowed} bytes"),
                Err(Error::TooLarge { what, needed, allowed: most, .. }) => {
                    assert!(!fits && what.contains("parameters"), "{words}: {what}");
                    assert_eq!((needed, most), (words * 4, allowed));
                }
                Err(error) => panic!("{words} words in {allowed} bytes: {error}"),
            }
        }
    }
}

#[test]
fn a_network_s_weights_are_held_against_the_binding() {
    let backend = backend(MIB_128);
    let of_units = |units: usize| {
        let network = network(1, 4000, units).expect("a network");
        plan(&network, PassKind::Predict, 8).expect("a plan")
    };
    let bytes = |plan: &Plan| {
        let parameters = plan.buffer("parameters").expect("parameters");
        plan.buffers[parameters.0].words * 4
    };
    let most = (1..10_000).rev().find(|units| bytes(&of_units(*units)) <= MIB_128).expect("some");
    run(&backend, &of_units(most)).expect("what fits is run");
    let larger = of_units(most + 1);
    let refused = backend.load(&larger).err().expect("one unit more does not fit").to_string();
    let needed = bytes(&larger).to_string();
    assert!(refused.contains(&needed) && refused.contains(&MIB_128.to_string()), "{refused}");
}

#[test]
fn grids_past_65535_workgroups_are_folded() {
    let backend = backend(MIB_128);
    // Members, parameters and activations, the latter two past what one dimension of a dispatch holds.
    for (members, inputs, units, rows) in
        [(65_535, 1, 1, 1), (3, 4_000, 1_000, 5), (1, 3, 5_500, 5_500)]
    {
        let name = format!("{members} members, {inputs} inputs, {units} units, {rows} rows");
        let network = network(members, inputs, units).expect("a network");
        for kind in [PassKind::Train, PassKind::Evaluate, PassKind::Predict] {
            let plan = plan(&network, kind, rows).unwrap_or_else(|error| panic!("{name}: {error}"));
            run(&backend, &plan).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn what_no_dispatch_or_index_reaches_is_refused() {
    let roomy = backend(1 << 40);
    let refused = |members: usize, inputs: usize, units: usize, rows: usize| {
        let network = match network(members, inputs, units) {
            Ok(network) => network,
            Err(error) => return error.to_string(),
        };
        match plan(&network, PassKind::Train, rows).and_then(|plan| roomy.load(&plan).map(|_| ())) {
            Ok(()) => panic!("{members} x {inputs} x {units}, {rows} rows"),
            Err(error) => error.to_string(),
        }
    };
    for (members, rows) in [(65_536, 1), (1, 4_300_000)] {
        let text = refused(members, 1, 1, rows);
        assert!(text.contains("workgroups") && text.contains("65535"), "{members}, {rows}: {text}");
    }
    assert!(refused(1, 1 << 17, 1 << 15, 1).contains("2^32"), "parameters of a member");
    for (members, inputs, units, rows) in [
        (60_000, 300, 300, 1),
        (1, 1 << 16, 1, 1 << 16),
        (1, 1, 1 << 17, 1 << 16),
        (1, 1, 1, 1 << 33),
        (1, usize::MAX / 2, 3, 1),
    ] {
        let text = refused(members, inputs, units, rows);
        assert!(
            text.contains("addressed") || text.contains("2^32"),
            "{members} x {inputs} x {units}, {rows} rows: {text}"
        );
    }
}
