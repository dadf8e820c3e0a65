//! Calls that take too long by themselves are cut up: no bit changes.

use std::time::Duration;

use wgfit::backend::gpu::{GpuBackend, GpuOptions, WholeSteps, adapters};
use wgfit::backend::{Backend, Contained};
use wgfit::catalog::optimizer::OptimizerForm;
use wgfit::program::{Precision, ProgramId};
use wgfit::verify::{Case, Scene};

const STEPS: usize = 6;

/// Trains a scene where submissions may take so long: what every buffer holds then, and the
/// calls that were cut up.
fn trained(backend: &GpuBackend, scene: &Scene, longest: Duration) -> (Vec<Contained>, u64) {
    let gpu = GpuOptions {
        longest_submission: Some(longest),
        whole_steps: Some(WholeSteps::Never),
        ..GpuOptions::default()
    };
    let mut executor = backend.variant(gpu).load(&scene.plan).expect("a plan that loads");
    scene.upload(executor.as_mut()).unwrap();
    // The first two steps are timed.
    for steps in [1, 1, STEPS - 2] {
        executor.run(ProgramId(0), steps).expect("a run");
    }
    let read = |name: &&str| {
        let id = scene.buffer(name).unwrap();
        let words = scene.plan.buffers[id.0].words as usize;
        let length = if name.ends_with("state") { words / 4 } else { words };
        executor.read(&[(id, length)]).expect("a readback").remove(0)
    };
    let names = ["parameters", "moment0", "moment1", "train.train.log", "train.train.state"];
    let found = names.iter().map(read).collect();
    (found, executor.counters().cut_up)
}

#[test]
fn calls_in_pieces_change_no_bit() {
    let adapters = adapters();
    assert!(!adapters.is_empty(), "no Vulkan adapter: apt-get install mesa-vulkan-drivers");
    // Ragged, of several workgroups along every axis.
    let case = Case {
        rows: 150,
        inputs: 67,
        hidden: vec![131, 70],
        members: 3,
        dropout: 0.3,
        optimizer: ("adam", OptimizerForm::default()),
        table_steps: STEPS,
        weighted: true,
        ..Case::default()
    };
    let fused = Case { fused: true, statistics: false, ..case.clone() };
    // Of more workgroups than a call has pieces.
    let hidden = vec![331, 70];
    let split = Case { split: true, rows: 600, hidden, ..fused.clone() };
    let halves = Case { precision: Precision::F16, ..fused };
    let cases =
        [("split", split), ("fused, in f16", halves), ("not fused", Case { fused: false, ..case })];
    for (name, case) in cases {
        let mut scene = Scene::new(&case).unwrap();
        scene.begin();
        let mut trained_on = 0;
        for adapter in &adapters {
            let device = &adapter.description.name;
            let backend = GpuBackend::new(adapter, GpuOptions::default()).expect("an adapter");
            let can = backend.capacity();
            if case.fused && !can.fuses || case.precision == Precision::F16 && !can.halves {
                continue;
            }
            trained_on += 1;
            let (whole, cut) = trained(&backend, &scene, Duration::MAX);
            assert_eq!(cut, 0, "{name} on {device}: nothing is that long");
            let (pieces, cut) = trained(&backend, &scene, Duration::ZERO);
            // All but those of one workgroup.
            let calls = scene.plan.programs[0].calls.len() as u64;
            assert!(cut > 3 && cut <= calls, "{name} on {device}: {cut} of {calls} calls cut up");
            assert!(whole == pieces, "{name} on {device}: {calls} calls, {cut} of them in pieces");
            let Contained::Reals(log) = &whole[3] else { panic!("a log of numbers") };
            assert!(log.iter().any(|loss| *loss > 0.0), "{name} on {device}: nothing was trained");
        }
        assert!(trained_on > 0, "{name}: no adapter runs it");
    }
}
