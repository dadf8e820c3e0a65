//! Golden trajectories: with the same starting weights, rows and order, the loss of each step
//! agrees with the one that real PyTorch and Keras printed (golden/generate.py), on every device.

mod common;

use std::fs;
use std::path::Path;

use common::{devices, json, number, records, relative, root, succeed};
use serde_json::{Value, json};

/// Relative distance allowed at each step; the worst that was measured is 4.6e-5 (Keras' own f32 Adam
/// is as far from its f64).
const TOLERANCE: f64 = 2e-4;

fn config_of(case: &Value, folder: &Path) -> Value {
    let golden = |key: &str| folder.join(case[key].as_str().expect("a file name"));
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

#[test]
fn every_step_agrees_with_pytorch_and_keras() {
    let golden = root().join("tests/golden");
    let file = json(&golden.join("trajectories.json"));
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let devices = devices();
    let configs: Vec<(String, String, Vec<f64>)> = cases
        .iter()
        .map(|case| {
            let name = case["name"].as_str().expect("a name").to_owned();
            let expected: Vec<f64> =
                case["losses_f32"].as_array().expect("losses").iter().map(number).collect();
            assert!(expected.len() >= 64, "{name}: only {} steps", expected.len());
            let config = folder.path().join(format!("{name}.json"));
            fs::write(&config, config_of(case, &golden).to_string()).expect("write");
            (name, config.to_str().expect("text").to_owned(), expected)
        })
        .collect();
    // A thread a device: most of the time goes into the drivers' own compilers.
    let faults: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = devices
            .iter()
            .map(|device| scope.spawn(|| faults_of(device, folder.path(), &configs)))
            .collect();
        running.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Runs every case on one device, and tells which step of which parts from the library.
fn faults_of(device: &str, folder: &Path, configs: &[(String, String, Vec<f64>)]) -> Vec<String> {
    let mut worst_of_all = 0.0_f64;
    let mut faults = Vec::new();
    for (name, config, expected) in configs {
        let out = format!("{name}-{device}");
        succeed(folder, &["train", config, "--device", device, "--quiet", "--out", &out]);
        let losses: Vec<f64> = records(&folder.join(&out), "step")
            .iter()
            .map(|record| number(&record["loss"]))
            .collect();
        assert_eq!(losses.len(), expected.len(), "{name} on {device}: number of steps");
        let (step, worst) = losses
            .iter()
            .zip(expected)
            .map(|(a, b)| relative(*a, *b))
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .expect("steps");
        worst_of_all = worst_of_all.max(worst);
        if worst > TOLERANCE {
            faults.push(format!(
                "{name} on {device}: step {} is {}, expected {} ({worst:.1e})",
                step + 1,
                losses[step],
                expected[step]
            ));
        }
    }
    eprintln!("{device}: {} cases, worst step within {worst_of_all:.1e}", configs.len());
    faults
}
