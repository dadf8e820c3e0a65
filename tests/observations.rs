//! What the training tells of the network's inside: observations.jsonl, event files, the diagnosis of
//! the initialisation.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{devices, json, number, python, records, relative, root, succeed, wgfit};
use serde_json::{Value, json};
use wgfit::train::observation::Observation;

fn config(name: &str) -> String {
    root().join("configs").join(name).to_string_lossy().into_owned()
}

fn train(folder: &Path, config: &str, out: &str, more: &[&str]) -> PathBuf {
    let mut arguments = vec!["train", config, "--out", out, "--quiet"];
    if !more.contains(&"--device") {
        arguments.extend(["--device", "cpu"]);
    }
    arguments.extend_from_slice(more);
    succeed(folder, &arguments);
    folder.join(out)
}

fn observations(run: &Path) -> Vec<Observation> {
    let text = std::fs::read_to_string(run.join("observations.jsonl")).expect("observations.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("an observation")).collect()
}

/// A step of plain gradient descent on all rows is the learning rate times the gradient: so the
/// gradient seen before the step and the change seen after it, which are worked out apart, must agree.
/// That holds for each member.
#[test]
fn what_is_seen_of_a_step_is_the_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iris = config("iris.json");
    let each = devices().into_iter().flat_map(|device| [(device, "null"), (device, "tabm")]);
    for (device, adapters) in each {
        let run = train(
            folder.path(),
            &iris,
            &format!("{device}-{adapters}"),
            &[
                "members=3",
                &format!("model.layers.0.adapters={adapters}"),
                "data.validation=0",
                "data.test=0",
                "early_stopping=null",
                r#"optimizer={"name":"sgd","learning_rate":0.25}"#,
                "training.batch_size=150",
                "training.epochs=2",
                "--device",
                device,
            ],
        );
        let seen = observations(&run);
        let epochs: Vec<_> = seen.iter().map(|o| (o.epoch, o.step, o.rows)).collect();
        assert_eq!(epochs, [(0, 0, 150), (1, 1, 150), (2, 2, 150)], "{device}");
        for (before, after) in seen.iter().zip(&seen[1..]) {
            for (before, after) in before.layers.iter().zip(&after.layers) {
                for (before, after) in before.tensors.iter().zip(&after.tensors) {
                    for member in 0..3 {
                        let moved = 0.25 * before.gradient_norm[member];
                        let told = after.update_ratio[member] * before.norm[member];
                        // Biases begin as zeros: their change is not seen as a share of them.
                        if before.norm[member] > 0.0 {
                            assert!(
                                relative(moved, told) < 1e-5,
                                "{device}, {}, member {member}: {moved} and {told}",
                                before.name
                            );
                        }
                    }
                }
            }
        }
        // Members differ.
        let norms = &seen[2].layers.last().expect("layers").tensors[0].norm;
        assert!(norms[0] != norms[1] && norms[1] != norms[2], "{norms:?}");
    }
}

#[test]
fn the_last_look_is_at_the_weights_that_are_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let more = ["training.epochs=5", "log.histograms_every=2", "early_stopping.restore_best=false"];
    let run = train(folder.path(), &config("digits.json"), "run", &more);
    let seen = observations(&run);
    assert_eq!(seen.iter().map(|o| o.epoch).collect::<Vec<_>>(), [0, 2, 4]);
    let four = train(
        folder.path(),
        &config("digits.json"),
        "four",
        &[more[1], more[2], "training.epochs=4"],
    );
    let inspected = succeed(&four, &["inspect", ".", "--json"]);
    let inspected: Value = serde_json::from_str(&inspected).expect("JSON");
    let tensors = inspected["tensors"].as_array().expect("tensors");
    let last = observations(&four).pop().expect("an observation");
    let mut checked = 0;
    for tensor in last.layers.iter().flat_map(|layer| &layer.tensors) {
        let same = tensors.iter().find(|t| t["name"] == json!(tensor.name)).expect("the tensor");
        assert!(relative(number(&same["norm"]), tensor.norm[0]) < 1e-6, "{}", tensor.name);
        assert_eq!(number(&same["least"]), tensor.values.low, "{}", tensor.name);
        assert_eq!(number(&same["largest"]), tensor.values.high, "{}", tensor.name);
        assert_eq!(same["count"], json!(tensor.values.count()), "{}", tensor.name);
        checked += 1;
    }
    assert_eq!(checked, 6);
    let none = train(
        folder.path(),
        &config("digits.json"),
        "none",
        &["training.epochs=2", "log.histograms_every=0"],
    );
    assert!(!none.join("observations.jsonl").exists());
}

/// A device that runs ahead of the host is looked at as the epoch left it, not as it is.
#[test]
fn every_device_shows_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first: Option<Vec<Observation>> = None;
    for device in devices() {
        let more = ["training.epochs=4", "--device", device];
        let seen = observations(&train(folder.path(), &config("digits.json"), device, &more));
        let Some(reference) = &first else {
            first = Some(seen);
            continue;
        };
        for (a, b) in reference.iter().zip(&seen) {
            for (a, b) in a.layers.iter().zip(&b.layers) {
                for (a, b) in a.tensors.iter().zip(&b.tensors) {
                    assert!(relative(a.norm[0], b.norm[0]) < 1e-4, "{device}: {}", a.name);
                    let ratios = a.update_ratio.iter().zip(&b.update_ratio);
                    for (a_ratio, b_ratio) in ratios {
                        assert!(relative(*a_ratio, *b_ratio) < 1e-2, "{device}: {}", a.name);
                    }
                }
            }
        }
        assert_eq!(reference.len(), seen.len());
    }
}

fn read_by_tensorboard(run: &Path) -> Value {
    let output = Command::new(python())
        .arg(root().join("tests/tensorboard/read.py"))
        .arg(run)
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The values that TensorBoard has of a tag: (step, value).
fn series(found: &Value, tag: &str) -> Vec<(u64, f64)> {
    let values = found["scalars"][tag].as_array().unwrap_or_else(|| panic!("no scalar {tag}"));
    values.iter().map(|pair| (pair[0].as_u64().expect("a step"), number(&pair[1]))).collect()
}

#[test]
fn tensorboard_reads_every_tag() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = train(
        folder.path(),
        &config("digits.json"),
        "run",
        &["training.epochs=3", "log.every_steps=10"],
    );
    let found = read_by_tensorboard(&run);
    // Every number of metrics.jsonl, at its step.
    let epochs = records(&run, "epoch");
    for (set, name) in [("train", "loss"), ("train", "accuracy"), ("validation", "loss")] {
        let read = series(&found, &format!("{name}/{set}"));
        assert_eq!(read.len(), 3);
        for (record, (step, value)) in epochs.iter().zip(read) {
            assert_eq!(record["step"], json!(step));
            assert!(relative(number(&record[set][name]), value) < 1e-6, "{name}/{set}");
        }
    }
    assert_eq!(series(&found, "step/loss").len(), records(&run, "step").len());
    // Every histogram, with its counts.
    let seen = observations(&run);
    let mut tags = BTreeSet::new();
    for (at, look) in seen.iter().enumerate() {
        for layer in &look.layers {
            let mut check = |tag: String, counts: u64| {
                let read = &found["histograms"][&tag][at];
                assert_eq!(read[0], json!(look.step), "{tag}");
                let buckets = read[1].as_array().unwrap_or_else(|| panic!("no histogram {tag}"));
                let total: f64 = buckets.iter().map(|bucket| number(&bucket[2])).sum();
                assert!((total - counts as f64).abs() < 0.5, "{tag}: {total}, not {counts}");
                tags.insert(tag);
            };
            for tensor in &layer.tensors {
                let own = tensor.name.rsplit('.').next().expect("a name");
                check(format!("{}/{own}", layer.name), tensor.values.count());
                check(format!("{}/{own}.gradient", layer.name), tensor.gradient.count());
            }
            check(format!("{}/outputs", layer.name), layer.outputs.histogram.count());
            check(format!("{}/deltas", layer.name), layer.deltas.histogram.count());
        }
    }
    let read: BTreeSet<String> =
        found["histograms"].as_object().expect("histograms").keys().cloned().collect();
    assert_eq!(read, tags);
    // The config, and how it ended.
    let session = &found["sessions"][0];
    assert_eq!(session["status"], "STATUS_SUCCESS");
    assert_eq!(session["hparams"]["optimizer.learning_rate"], json!(0.001));
    assert_eq!(session["hparams"]["model.layers.0.activation"], "relu");
    assert_eq!(session["hparams"]["data.train"], "digits.csv");
    let summary = json(&run.join("summary.json"));
    let (_, kept) = series(&found, "kept/test_accuracy")[0];
    assert!(relative(kept, number(&summary["test"]["accuracy"])) < 1e-6);
}

#[test]
fn tensorboard_reads_members_and_every_task() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run =
        train(folder.path(), &config("diabetes.json"), "m", &["members=3", "training.epochs=2"]);
    let found = read_by_tensorboard(&run);
    for (at, record) in records(&run, "epoch").iter().enumerate() {
        let losses = record["validation"]["loss"].as_array().expect("a list of members");
        let losses: Vec<f64> = losses.iter().map(number).collect();
        let mean = losses.iter().sum::<f64>() / 3.0;
        let low = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(relative(series(&found, "loss/validation")[at].1, mean) < 1e-6);
        assert!(relative(series(&found, "loss/validation.min")[at].1, low) < 1e-6);
    }
    let run = train(
        folder.path(),
        &config("breast_cancer.json"),
        "b",
        &["training.epochs=2", "log.tensorboard=false"],
    );
    let events = std::fs::read_dir(&run).expect("the folder").flatten();
    let events = events.filter(|entry| entry.file_name().to_string_lossy().contains("tfevents"));
    assert_eq!(events.count(), 0, "log.tensorboard=false");
}

/// A run that replaces another leaves nothing of it.
#[test]
fn overwrite_takes_the_old_events_away() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = train(folder.path(), &config("iris.json"), "run", &["training.epochs=2"]);
    std::fs::write(run.join("events.out.tfevents.1.wgfit"), "old").expect("a file");
    std::fs::write(run.join("mine.txt"), "kept").expect("a file");
    train(
        folder.path(),
        &config("iris.json"),
        "run",
        &["training.epochs=2", "--overwrite", "log.histograms_every=0"],
    );
    assert!(!run.join("events.out.tfevents.1.wgfit").exists());
    assert!(!run.join("observations.jsonl").exists());
    assert!(run.join("mine.txt").exists());
    // One event file, which TensorBoard reads as one run.
    assert_eq!(series(&read_by_tensorboard(&run), "loss/train").len(), 2);
}

/// A deep network of so many equal layers, drawn by `init`.
fn deep(folder: &Path, activation: &str, init: &Value, layers: usize) -> String {
    let layer = json!({ "units": 64, "activation": activation, "init": init });
    let config = json!({
        "data": { "train": root().join("configs/data/digits.csv"), "target": "label" },
        "model": { "layers": vec![layer; layers] },
        "training": { "epochs": 1 },
    });
    std::fs::write(folder.join("deep.json"), config.to_string()).expect("a config");
    let arguments = ["train", "deep.json", "--device", "cpu", "--out", "run", "--overwrite"];
    let output = wgfit(folder, &arguments);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// He et al., 2015, and Glorot and Bengio, 2010: too small weights lose the signal on its way forward
/// and back, too large ones blow it up or saturate the units, equal ones never differ.
#[test]
fn a_bad_initialisation_is_diagnosed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let normal = |stddev: f64| json!({ "name": "random_normal", "stddev": stddev });
    for (activation, init, said, proposal) in [
        ("relu", normal(0.01), "differences between rows vanish", "use \"init\": \"he_uniform\""),
        ("relu", normal(0.01), "gradients vanish", "use \"init\": \"he_uniform\""),
        ("relu", normal(1.0), "differences between rows explode", "use \"init\": \"he_uniform\""),
        ("relu", normal(1.0), "gradients explode", "use \"init\": \"he_uniform\""),
        ("tanh", normal(0.02), "differences between rows vanish", "\"glorot_uniform\""),
        ("tanh", normal(2.0), "are at a bound of tanh", "smaller init"),
        ("relu", json!("zeros"), "all weights are 0", "use \"init\": \"he_uniform\""),
    ] {
        let warned = deep(folder.path(), activation, &init, 8);
        let line = warned.lines().find(|line| line.starts_with("warning:") && line.contains(said));
        let line = line.unwrap_or_else(|| panic!("{activation} {init}: no {said:?} in\n{warned}"));
        assert!(line.contains("layers."), "{line}");
        assert!(line.contains(proposal), "{line}");
    }
    // What is as it should be is not warned of.
    for (activation, init) in [
        ("relu", "he_normal"),
        ("relu", "he_uniform"),
        ("tanh", "glorot_uniform"),
        ("selu", "lecun_normal"),
        ("gelu", "he_uniform"),
    ] {
        let warned = deep(folder.path(), activation, &json!(init), 8);
        assert!(!warned.contains("warning: layers."), "{activation} {init}:\n{warned}");
    }
    for name in ["digits.json", "iris.json", "breast_cancer.json", "diabetes.json"] {
        let config = config(name);
        let arguments =
            ["train", &config, "training.epochs=1", "--device", "cpu", "--out", "r", "--overwrite"];
        let output = wgfit(folder.path(), &arguments);
        let warned = String::from_utf8_lossy(&output.stderr);
        assert!(!warned.contains("warning: layers."), "{name}:\n{warned}");
    }
}
