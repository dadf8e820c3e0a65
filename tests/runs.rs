//! Whole runs: real data to a stated accuracy, the same bytes twice, members, prediction.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{devices, json, number, records, relative, root, succeed, wgfit};

fn train(folder: &Path, config: &str, device: &str, out: &str, more: &[&str]) -> PathBuf {
    let config = root().join("configs").join(config);
    let config = config.to_str().expect("the path is text");
    let mut arguments = vec!["train", config, "--device", device, "--out", out, "--quiet"];
    arguments.extend_from_slice(more);
    let stdout = succeed(folder, &arguments);
    assert_eq!(stdout.lines().last(), Some(out), "the last line is the run folder");
    folder.join(out)
}

fn losses(run: &Path) -> Vec<f64> {
    records(run, "step").iter().map(|record| number(&record["loss"])).collect()
}

/// Digits on every device: accuracy, the first 100 step losses, the best validation loss.
#[test]
fn digits_learns_the_same_everywhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut reference: Option<(Vec<f64>, f64)> = None;
    for device in devices() {
        let run = train(folder.path(), "digits.json", device, device, &[]);
        let summary = json(&run.join("summary.json"));
        let accuracy = number(&summary["test"]["accuracy"]);
        assert!(accuracy >= 0.97, "{device}: test accuracy {accuracy}");
        let loss = number(&summary["validation"]["loss"]);
        let steps = losses(&run);
        let Some((first, best)) = &reference else {
            reference = Some((steps, loss));
            continue;
        };
        let worst = first[..100]
            .iter()
            .zip(&steps[..100])
            .map(|(a, b)| relative(*a, *b))
            .fold(0.0, f64::max);
        eprintln!(
            "{device}: accuracy {accuracy:.4}, first 100 losses within {worst:.1e}, best validation loss within {:.1e}",
            relative(*best, loss)
        );
        assert!(worst < 1e-3, "{device}: the first 100 step losses part by {worst}");
        assert!(relative(*best, loss) < 0.05, "{device}: best validation loss {loss}, cpu {best}");
    }
}

#[test]
fn the_same_command_twice_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for device in devices() {
        let short = ["training.epochs=3", "log.every_steps=0"];
        let first = train(folder.path(), "digits.json", device, &format!("{device}-1"), &short);
        let second = train(folder.path(), "digits.json", device, &format!("{device}-2"), &short);
        let bytes = |run: &Path| fs::read(run.join("model.safetensors")).expect("a model");
        assert_eq!(bytes(&first), bytes(&second), "{device}");
        // Another seed must give another model, or the comparison says nothing.
        let other = [&short[..], &["seed=43"]].concat();
        let third = train(folder.path(), "digits.json", device, &format!("{device}-3"), &other);
        assert_ne!(bytes(&first), bytes(&third), "{device}");
    }
}

#[test]
fn member_0_of_8_is_the_single_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for device in devices() {
        let short = ["training.epochs=3"];
        let one = train(folder.path(), "digits.json", device, &format!("{device}-one"), &short);
        let many = [&short[..], &["members=8"]].concat();
        let eight = train(folder.path(), "digits.json", device, &format!("{device}-eight"), &many);
        let single = losses(&one);
        let members: Vec<Vec<f64>> = records(&eight, "step")
            .iter()
            .map(|record| record["loss"].as_array().expect("a list").iter().map(number).collect())
            .collect();
        assert_eq!(single.len(), members.len());
        for (step, (alone, together)) in single.iter().zip(&members).enumerate() {
            assert_eq!(together.len(), 8);
            let apart = relative(*alone, together[0]);
            assert!(apart < 1e-4, "{device}, step {}: {alone} and {}", step + 1, together[0]);
            assert!(relative(together[0], together[1]) > 1e-6, "members 0 and 1 are one");
        }
        let weights = |run: &Path| {
            let bytes = fs::read(run.join("model.safetensors")).expect("a model");
            let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
            let tensor = file.tensor("layers.1.weight").expect("a tensor");
            let values: Vec<f32> =
                tensor.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            (tensor.shape().to_vec(), values)
        };
        let (shape, alone) = weights(&one);
        let (shapes, together) = weights(&eight);
        assert_eq!(shape, [64, 128]);
        assert_eq!(shapes, [8, 64, 128]);
        let worst = alone.iter().zip(&together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{device}: weights of member 0 part by {worst}");
    }
}

#[test]
fn every_small_config_learns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (config, metric, least) in [
        ("iris.json", "accuracy", 0.9),
        ("breast_cancer.json", "accuracy", 0.93),
        ("diabetes.json", "r2", 0.35),
    ] {
        let run = train(folder.path(), config, "cpu", config, &[]);
        let reached = number(&json(&run.join("summary.json"))["test"][metric]);
        eprintln!("{config}: test {metric} {reached:.4}");
        assert!(reached >= least, "{config}: test {metric} {reached}");
    }
}

/// What training said of a set, `evaluate` says again from the model file alone, and the
/// predictions' own accuracy agrees with both.
#[test]
fn evaluate_and_predict_agree_with_training() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = root().join("configs/data/iris.csv");
    let rows = rows.to_str().expect("text");
    let run = train(folder.path(), "iris.json", "cpu", "run", &[]);
    for device in devices() {
        let text = succeed(folder.path(), &["evaluate", "run", "--json", "--device", device]);
        let again: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
        let summary = json(&run.join("summary.json"));
        for key in ["loss", "accuracy"] {
            let (said, told) = (number(&again[key]), number(&summary["test"][key]));
            assert!((said - told).abs() < 1e-5, "{device}: {key} {said}, training said {told}");
        }
        let model = run.join("model.safetensors");
        let model = model.to_str().expect("text");
        let text = succeed(
            folder.path(),
            &["evaluate", model, "--data", rows, "--json", "--device", device],
        );
        let whole: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
        let predicted =
            succeed(folder.path(), &["predict", model, "--data", rows, "--device", device]);
        let mut lines = predicted.lines();
        assert_eq!(
            lines.next(),
            Some("probability_setosa,probability_versicolor,probability_virginica,prediction")
        );
        let truth = fs::read_to_string(rows).expect("iris.csv");
        let mut right = 0;
        for (line, row) in lines.zip(truth.lines().skip(1)) {
            let fields: Vec<&str> = line.split(',').collect();
            let sum: f64 = fields[..3].iter().map(|p| p.parse::<f64>().expect("a number")).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{line}");
            right += usize::from(row.ends_with(fields[3]));
        }
        assert_eq!(predicted.lines().count(), truth.lines().count());
        let accuracy = right as f64 / 150.0;
        assert!((accuracy - number(&whole["accuracy"])).abs() < 1e-6, "{device}: {accuracy}");
    }
}

#[test]
fn a_run_is_never_written_over_unasked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = root().join("configs/iris.json");
    let config = config.to_str().expect("text");
    let short = ["train", config, "--device", "cpu", "--quiet", "training.epochs=1"];
    let first = succeed(folder.path(), &short);
    let second = succeed(folder.path(), &short);
    assert_eq!((first.trim_end(), second.trim_end()), ("runs/iris-1", "runs/iris-2"));
    let again = [&short[..], &["--out", "runs/iris-1"]].concat();
    let output = wgfit(folder.path(), &again);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--overwrite"));
    succeed(folder.path(), &[&again[..], &["--overwrite"]].concat());
}

/// config.json of a run, trained again, gives the same run.
#[test]
fn the_written_config_gives_the_same_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = train(folder.path(), "breast_cancer.json", "cpu", "first", &["training.epochs=5"]);
    let config = first.join("config.json");
    let arguments =
        ["train", config.to_str().expect("text"), "--device", "cpu", "--quiet", "--out", "second"];
    succeed(folder.path(), &arguments);
    let weights = |run: &Path| fs::read(run.join("model.safetensors")).expect("a model");
    assert_eq!(weights(&first), weights(&folder.path().join("second")));
}

/// Ctrl-C ends the run in good order: its files are whole, the exit code is 130.
#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_its_best_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = root().join("configs/digits.json");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_wgfit"))
        .args([
            "train",
            config.to_str().expect("text"),
            "--device",
            "cpu",
            "--out",
            "run",
            "--quiet",
        ])
        .args(["training.epochs=100000", "early_stopping.patience=100000", "log.every_steps=0"])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the binary runs");
    let run = folder.path().join("run");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !run.join("metrics.jsonl").exists() || records(&run, "epoch").len() < 3 {
        assert!(std::time::Instant::now() < deadline, "no epoch in a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(kill.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let summary = json(&run.join("summary.json"));
    assert_eq!(summary["stop_reason"], "interrupted");
    assert!(number(&summary["validation"]["accuracy"]) > 0.5);
    succeed(folder.path(), &["evaluate", "run", "--device", "cpu"]);
}

/// A rate that no network survives: the error names epoch, step and tensor, and exits with 1.
#[test]
fn divergence_is_found_and_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = root().join("configs/diabetes.json");
    let config = config.to_str().expect("text");
    for device in devices() {
        let output = wgfit(
            folder.path(),
            &[
                "train",
                config,
                "--device",
                device,
                "--out",
                device,
                "--quiet",
                r#"optimizer={"name":"sgd","learning_rate":1e6}"#,
                "early_stopping=null",
            ],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{device}: {said}");
        assert!(said.contains("training diverged in epoch 1, step "), "{device}: {said}");
        assert!(said.contains("not finite"), "{device}: {said}");
    }
}

#[test]
fn devices_and_schema_print_one_document() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list: serde_json::Value =
        serde_json::from_str(&succeed(folder.path(), &["devices", "--json"])).expect("JSON");
    let list = list.as_array().expect("a list of devices");
    assert!(list.iter().any(|device| device["kind"] == "cpu"));
    assert!(list.iter().any(|device| device["kind"] == "software"), "{list:?}");
    let schema: serde_json::Value =
        serde_json::from_str(&succeed(folder.path(), &["schema"])).expect("JSON");
    assert!(schema["properties"]["optimizer"].is_object());
}
