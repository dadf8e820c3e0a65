//! The host stays out of the loop: dispatches a step, readbacks an epoch, nothing made from the first
//! step on; and a set that is fed in windows trains as one that the device holds.

mod common;

use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::{Backend, Capacity, DeviceDescription, Executor};
use wgfit::config::Config;
use wgfit::data;
use wgfit::error::Result;
use wgfit::model::Model;
use wgfit::program::Plan;
use wgfit::train::{Outcome, Silent, fit};

/// Trains digits with those overrides.
fn train(backend: &dyn Backend, overrides: &[&str]) -> Outcome {
    let file = common::root().join("configs/digits.json");
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let config = Config::load(&file, &overrides).expect("the config");
    let settings = config.validate(file.parent().expect("a folder")).expect("settings");
    let dataset = data::load(&settings.data).expect("the data");
    let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
    fit(&settings, &task, dataset, backend, &mut Silent).expect("training")
}

/// A software adapter, or the reason to fail.
fn adapter() -> Box<dyn Backend> {
    common::devices();
    wgfit::backend::choose("llvmpipe", Default::default())
        .expect("llvmpipe: apt-get install mesa-vulkan-drivers")
        .backend
}

#[test]
fn a_step_is_few_dispatches_and_an_epoch_one_readback() {
    let backend = adapter();
    let layers = 3;
    let epochs = 3;
    let steps = 40;
    // A plain step of Adam; one whose gradient's norm is logged.
    for (every, most) in [(0, 2 * layers + 1), (1, 3 * layers + 3)] {
        let log = format!("log.every_steps={every}");
        let outcome = train(backend.as_ref(), &["training.epochs=3", &log]);
        let (start, last) = (outcome.counters_at_start, outcome.counters);
        // An evaluation step: forward, loss, finish. Validation is one step of 359 rows.
        let evaluation = epochs * (layers + 2);
        let training = last.calls - start.calls - evaluation;
        assert!(training.is_multiple_of(epochs * steps), "{training} calls");
        let a_step = training / (epochs * steps);
        assert!(a_step <= most, "{a_step} dispatches a step, log.every_steps={every}");
        assert_eq!(last.readbacks - start.readbacks, epochs, "readbacks");
        assert_eq!(start.buffers, last.buffers, "buffers were made in the loop");
        assert_eq!(start.pipelines, last.pipelines, "pipelines were made in the loop");
        assert_eq!(start.bind_groups, last.bind_groups, "bind groups were made in the loop");
        assert!(start.pipelines > 0 && start.buffers > 0, "nothing is counted");
    }
}

/// A backend that claims to hold less than it does.
struct Small<B>(B, u64);

impl<B: std::ops::Deref<Target = dyn Backend>> Backend for Small<B> {
    fn device(&self) -> &DeviceDescription {
        self.0.device()
    }
    fn capacity(&self) -> Capacity {
        Capacity { buffer_bytes: self.1, ..self.0.capacity() }
    }
    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        for buffer in &plan.buffers {
            let set = buffer.name.ends_with(".features");
            assert!(!set || buffer.words * 4 <= self.1, "{} is not cut up", buffer.name);
        }
        self.0.load(plan)
    }
}

/// 1,258 rows of 64 columns are 322 KB: at 200 KB none of the larger sets fits whole.
#[test]
fn a_set_in_windows_trains_as_one_that_fits() {
    let cpu = || -> Box<dyn Backend> { Box::new(CpuBackend::new().expect("the CPU")) };
    for overrides in [
        &["training.epochs=3"][..],
        &["training.epochs=3", "data.shuffle=false"],
        &["training.epochs=2", "members=3"],
        &["training.epochs=2", "training.drop_last=true"],
        // Windows that members share; and such as the device does not hold.
        &["training.epochs=2", "members=2", "data.chunk_rows=5"],
        &["training.epochs=2", "members=2", "data.chunk_rows=200"],
    ] {
        let whole = train(cpu().as_ref(), overrides);
        let windows = train(&Small(cpu(), 280_000), overrides);
        assert_eq!(whole.parameters, windows.parameters, "{overrides:?}: weights");
        for ((set, a), (_, b)) in whole.scores.iter().zip(&windows.scores) {
            for (a, b) in a.iter().zip(b) {
                assert!(
                    (a.loss - b.loss).abs() < 1e-6,
                    "{overrides:?}: {set} {} {}",
                    a.loss,
                    b.loss
                );
            }
        }
    }
}

/// Prediction of a set in windows is that of the set whole.
#[test]
fn a_set_in_windows_predicts_as_one_that_fits() {
    let file = common::root().join("configs/digits.json");
    let config = Config::load(&file, &["training.epochs=1".to_owned()]).expect("the config");
    let settings = config.validate(file.parent().expect("a folder")).expect("settings");
    let preprocessing = data::load(&settings.data).expect("the data").preprocessing;
    let cpu = || -> Box<dyn Backend> { Box::new(CpuBackend::new().expect("the CPU")) };
    let outcome = train(cpu().as_ref(), &["training.epochs=1"]);
    let model = Model {
        config: config.without_paths(),
        preprocessing,
        network: outcome.network,
        parameters: outcome.parameters,
    };
    let csv = common::root().join("configs/data/digits.csv");
    let rows = || data::load_features(&csv, &model.preprocessing).expect("the rows").rows;
    let small = || Small(cpu(), 280_000);
    let whole = model.predict(rows(), cpu().as_ref()).expect("predictions");
    let windows = model.predict(rows(), &small()).expect("predictions in windows");
    assert_eq!(whole.rows, 1797);
    assert_eq!(whole, windows);
    let on_gpu = model.predict(rows(), &Small(adapter(), 280_000)).expect("predictions on a GPU");
    let worst = whole.values.iter().zip(&on_gpu.values).map(|(a, b)| (a - b).abs());
    let worst = worst.fold(0.0, f64::max);
    assert!(on_gpu.values.len() == whole.values.len() && worst < 1e-5, "{worst}");
}
