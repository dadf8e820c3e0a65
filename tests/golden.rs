//! Golden trajectories: with the same starting weights, rows and order, the loss of each step
//! agrees with the one that real PyTorch and Keras printed (golden/generate.py), on every device.

mod common;

use std::process::{Command, Stdio};

use common::{devices, json, number, relative, root, software_drivers};
use serde_json::{Value, json};
use wgfit::backend::gpu::{GpuBackend, GpuOptions, adapters};
use wgfit::backend::{Backend, cpu::CpuBackend};
use wgfit::config::Config;
use wgfit::train::{Observer, StepRecord, fit};
use wgfit::{Result, data};

/// Relative distance allowed at each step; the worst that was measured is 4.6e-5 (Keras' own f32 Adam
/// is as far from its f64).
const TOLERANCE: f64 = 2e-4;

/// The test's name, and the variable that tells a process of it which device it is for.
const TEST: &str = "every_step_agrees_with_pytorch_and_keras";
const DEVICE: &str = "WGFIT_TEST_DEVICE";

/// Told by a device's process when all its cases were run.
const DONE: &str = "cases, worst step within";

#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.0.push(record.loss[0]);
        Ok(())
    }
}

fn config_of(case: &Value) -> Value {
    let golden = |key: &str| root().join("tests/golden").join(case[key].as_str().expect("a name"));
    let mut config = case["config"].clone();
    let targets: Value = if case["data"] == "regression2.csv" {
        json!(["y0", "y1"])
    } else {
        case["target"].clone()
    };
    config["data"] = json!({
        "train": golden("data"),
        "target": targets,
        "task": case["task"],
        "validation": 0,
        "scaling": "none",
        "target_scaling": "none",
        "shuffle": false
    });
    config["model"]["init_from"] = json!(golden("weights"));
    config["log"] = json!({ "every_steps": 1 });
    config
}

/// A process a device, side by side: each sees its own driver alone, and has every pipeline compiled
/// once for all cases.
#[test]
fn every_step_agrees_with_pytorch_and_keras() {
    if let Ok(device) = std::env::var(DEVICE) {
        return hold(&device);
    }
    let program = std::env::current_exe().expect("this program");
    let drivers = software_drivers();
    let running: Vec<_> = devices()
        .into_iter()
        .map(|device| {
            let mut process = Command::new(&program);
            process.args([TEST, "--exact", "--nocapture"]).env(DEVICE, device);
            if let Some((_, driver)) = drivers.iter().find(|(name, _)| *name == device) {
                process.env("VK_ICD_FILENAMES", driver);
            }
            let process = process.stdout(Stdio::piped()).stderr(Stdio::piped());
            (device, process.spawn().expect("a process"))
        })
        .collect();
    let mut faults = Vec::new();
    for (device, process) in running {
        let output = process.wait_with_output().expect("its output");
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || !said.contains(DONE) {
            faults.push(format!("{device}:\n{said}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs every case on one device, and tells which step of which parts from the library.
fn hold(device: &str) {
    let file = json(&root().join("tests/golden/trajectories.json"));
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 116, "only {} cases", cases.len());
    let backend: Box<dyn Backend> = if device == "cpu" {
        Box::new(CpuBackend::with_threads(1).expect("a thread"))
    } else {
        let adapters = adapters();
        let adapter = adapters.first().expect("the device's adapter");
        Box::new(GpuBackend::new(adapter, GpuOptions::default()).expect("an adapter"))
    };
    let name = &backend.device().name;
    assert!(device == "cpu" || name.contains(device), "{name} is not {device}");
    let mut worst_of_all = 0.0_f64;
    let mut faults = Vec::new();
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let losses = losses_of(case, backend.as_ref()).unwrap_or_else(|error| {
            panic!("{name} on {device}: {error}");
        });
        let expected: Vec<f64> =
            case["losses_f32"].as_array().expect("losses").iter().map(number).collect();
        assert!(expected.len() >= 64, "{name}: only {} steps", expected.len());
        assert_eq!(losses.len(), expected.len(), "{name} on {device}: number of steps");
        let (step, worst) = losses
            .iter()
            .zip(&expected)
            .map(|(a, b)| relative(*a, *b))
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .expect("steps");
        worst_of_all = worst_of_all.max(worst);
        if worst.is_nan() || worst > TOLERANCE {
            faults.push(format!(
                "{name} on {device}: step {} is {}, expected {} ({worst:.1e})",
                step + 1,
                losses[step],
                expected[step]
            ));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    eprintln!("{device}: {} {DONE} {worst_of_all:.1e}", cases.len());
}

/// Trains a case; the loss of each step.
fn losses_of(case: &Value, backend: &dyn Backend) -> Result<Vec<f64>> {
    let text = config_of(case).to_string();
    let settings = Config::parse(&text, "golden.json", &[])?.validate(root())?;
    let dataset = data::load(&settings.data)?;
    let task = settings.fit_task(dataset.preprocessing.task())?;
    let mut losses = Losses::default();
    fit(&settings, &task, dataset, backend, &mut losses)?;
    Ok(losses.0)
}
