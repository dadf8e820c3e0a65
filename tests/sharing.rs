//! Heads that share weights: each step as the package of TabM's authors takes it, what is shared the same
//! at every head, one verdict for all, and what cannot be shared refused.

mod common;

use std::path::Path;

use common::{devices, json, number, records, relative, root, succeed, wgfit};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use wgfit::{Config, Model, Trainer};

/// Relative distance allowed at each step.
const TOLERANCE: f64 = 2e-4;

fn write(folder: &Path, name: &str, config: &Value) {
    std::fs::write(folder.join(name), config.to_string()).expect("a config");
}

/// Writes `w.safetensors`: the golden starting weights of TabM, of which `change` is given each tensor.
fn write_weights(folder: &Path, change: impl Fn(&str, &mut Vec<usize>, &mut Vec<u8>)) {
    let bytes = std::fs::read(root().join("tests/golden/tabm.safetensors")).expect("weights");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensors: Vec<_> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let (mut shape, mut data) = (view.shape().to_vec(), view.data().to_vec());
            change(&name, &mut shape, &mut data);
            (name, shape, data)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), data).expect("a view"))
    });
    let made = safetensors::serialize(views, None).expect("safetensors");
    std::fs::write(folder.join("w.safetensors"), made).expect("a file");
}

#[test]
fn every_step_agrees_with_the_authors_package() {
    let golden = root().join("tests/golden");
    let file = json(&golden.join("sharing.json"));
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 12);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let adapters = case["adapters"].as_str().expect("a name");
        let layer = |units| json!({ "units": units, "activation": "tanh", "adapters": adapters });
        let config = json!({
            "members": 4,
            "data": {
                "train": golden.join("sharing.csv"), "target": "y", "validation": 0,
                "scaling": "none", "target_scaling": "none", "shuffle": false,
            },
            "model": {
                "layers": [layer(7), layer(6)],
                "init_from": golden.join(format!("{adapters}.safetensors")),
            },
            "loss": "mse",
            "optimizer": case["optimizer"],
            "training": { "epochs": 8, "batch_size": 16 },
            "log": { "every_steps": 1, "tensorboard": false, "histograms_every": 0 },
        });
        let file = format!("{name}.json");
        write(folder.path(), &file, &config);
        let expected = case["losses"].as_array().expect("losses");
        for device in devices() {
            let run = format!("{name}-{device}");
            succeed(folder.path(), &["train", &file, "--device", device, "--quiet", "--out", &run]);
            let steps = records(&folder.path().join(&run), "step");
            assert_eq!(steps.len(), expected.len(), "{name} on {device}");
            for (at, (step, wanted)) in steps.iter().zip(expected).enumerate() {
                for head in 0..4 {
                    let (loss, wanted) = (number(&step["loss"][head]), number(&wanted[head]));
                    assert!(
                        relative(loss, wanted) <= TOLERANCE,
                        "{name} on {device}, step {}, head {head}: {loss}, tabm says {wanted}",
                        at + 1
                    );
                }
            }
        }
    }
}

/// Digits in a few heads, with all that may be about a step.
const DIGITS: [&str; 5] = [
    "members=5",
    r#"model.layers=[{"units":23,"adapters":"tabm","dropout":0.2,"norm":"layer_norm"}]"#,
    "training.epochs=4",
    "training.ema=0.9",
    r#"optimizer={"name":"adamw","weight_decay":0.01,"clip_global_norm":1}"#,
];

fn trained(device: &str, more: &[&str]) -> Model {
    let overrides = DIGITS.iter().chain(more).map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let config = root().join("configs/digits.json");
    let config = Config::load(&config, &overrides).expect("a config");
    let trainer = Trainer::in_folder(&config, &root().join("configs")).expect("settings");
    trainer.device(device).train().expect("a training").model
}

/// What heads share they hold alike to the last bit, what is theirs they do not.
#[test]
fn what_is_shared_stays_the_same_at_every_head() {
    assert!(devices().contains(&"llvmpipe"));
    for device in ["cpu", "llvmpipe"] {
        for more in [&[][..], &["model.layers.0.adapters=tabm_mini"], &["optimizer=muon"]] {
            let model = trained(device, more);
            let network = &model.network;
            assert_eq!((network.members, network.heads), (5, 5));
            for tensor in network.tensors().iter().filter(|tensor| tensor.kind.is_trained()) {
                let of = |head: &[f32]| head[tensor.offset..tensor.offset + tensor.length].to_vec();
                let heads: Vec<_> = model.parameters.chunks_exact(network.stride).map(of).collect();
                for own in &heads[1..] {
                    let is_same =
                        own.iter().zip(&heads[0]).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert_eq!(is_same, tensor.is_shared, "{device}, {more:?}: {}", tensor.name);
                }
            }
            let shared = |name: &str| {
                network.tensors().iter().any(|tensor| tensor.name == name && tensor.is_shared)
            };
            assert!(shared("layers.0.weight") && !shared("layers.1.weight"));
            assert_eq!(shared("layers.0.bias"), more.iter().any(|key| key.ends_with("mini")));
        }
    }
}

/// The file holds what is shared once, and is the model that was trained; its parameters are counted so.
#[test]
fn a_file_holds_what_is_shared_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = trained("cpu", &[]);
    let file = folder.path().join("m.safetensors");
    model.save(&file).expect("a file");
    let bytes = std::fs::read(&file).expect("a file");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let shape = |name: &str| tensors.tensor(name).expect("a tensor").shape().to_vec();
    assert_eq!(shape("layers.0.weight"), [23, 64]);
    assert_eq!(shape("layers.0.adapter.input"), [5, 64]);
    assert_eq!(shape("layers.0.adapter.output"), [5, 23]);
    assert_eq!(shape("layers.0.bias"), [5, 23]);
    assert_eq!(shape("layers.1.weight"), [5, 10, 23]);
    // The normalisation's scales and shifts are each head's.
    let own = 64 + 23 + 23 + 2 * 23 + 10 * 23 + 10;
    assert_eq!(model.network.parameters(), 23 * 64 + 5 * own);
    let again = Model::load(&file).expect("a model");
    assert_eq!(again.network.heads, 5);
    let bits = |model: &Model| model.parameters.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
    assert!(bits(&again) == bits(&model));
}

/// They begin from one set of weights and, told apart by signs alone, go through the rows in one order.
#[test]
fn heads_begin_alike_but_for_signs() {
    let model = trained(
        "cpu",
        &[
            "training.epochs=1",
            "training.ema=null",
            "optimizer=sgd",
            "optimizer.learning_rate=1e-30",
        ],
    );
    let tensors = model.network.tensors();
    let tensor = |name: &str| {
        let tensor = tensors.iter().find(|tensor| tensor.name == name).expect("a tensor");
        let heads = model.parameters.chunks_exact(model.network.stride);
        heads.map(|head| &head[tensor.offset..][..tensor.length]).collect::<Vec<_>>()
    };
    let signs = tensor("layers.0.adapter.input");
    assert!(signs.iter().flat_map(|own| own.iter()).all(|sign| sign.abs() == 1.0));
    let positive = signs.iter().flat_map(|own| own.iter()).filter(|sign| **sign > 0.0).count();
    assert!((110..=210).contains(&positive), "{positive} of 320 signs are positive");
    for (head, own) in signs.iter().enumerate() {
        assert!(signs[..head].iter().all(|other| other != own), "two heads have the same signs");
    }
    assert!(tensor("layers.0.adapter.output").concat().iter().all(|factor| *factor == 1.0));
    let output = tensor("layers.1.weight");
    assert_ne!(output[0], output[1]);
}

/// A range test takes the steps of all heads: its first loss is the mean of theirs.
#[test]
fn a_range_test_is_of_all_heads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = root().join("configs/digits.json").display().to_string();
    let device = ["--device", "cpu"];
    let run = ["train", &config, "log.every_steps=1", "training.epochs=1", "--out", "run", "-q"];
    let run: Vec<&str> = run.iter().chain(&device).chain(&DIGITS).copied().collect();
    // The number of epochs is the last that is given.
    let run: Vec<&str> = run.into_iter().chain(["training.epochs=1"]).collect();
    succeed(folder.path(), &run);
    let first = &records(&folder.path().join("run"), "step")[0];
    let mean = (0..5).map(|head| number(&first["loss"][head])).sum::<f64>() / 5.0;
    let find = ["lr-find", &config, "--json", "--steps", "40"];
    let find: Vec<&str> = find.iter().chain(&device).chain(&DIGITS).copied().collect();
    let found: Value = serde_json::from_str(&succeed(folder.path(), &find)).expect("JSON");
    assert!(
        relative(number(&found["losses"][0]), mean) < 1e-6,
        "{} and {mean}",
        found["losses"][0]
    );
    assert!(found["steps"].as_u64() > Some(20), "{found}");
}

/// They stop at one epoch, by the mean of what is watched, and keep the weights of one.
#[test]
fn heads_stop_together() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = root().join("configs/digits.json").display().to_string();
    let own = ["training.epochs=60", "optimizer.learning_rate=0.01", "early_stopping.patience=2"];
    for (out, adapters) in [("heads", "tabm"), ("members", "null")] {
        let adapters = format!("model.layers.0.adapters={adapters}");
        let all = ["train", &config, "--out", out, "--device", "cpu", "--quiet"];
        let all: Vec<&str> =
            all.into_iter().chain(DIGITS).chain(own).chain([adapters.as_str()]).collect();
        succeed(folder.path(), &all);
    }
    let run = folder.path().join("heads");
    let summary = json(&run.join("summary.json"));
    let best = summary["best_epoch"].as_array().expect("a list");
    let epochs = summary["epochs"].as_u64().expect("a number");
    assert!(best.iter().all(|epoch| epoch == &best[0]), "{best:?}");
    assert_eq!(best[0].as_u64(), Some(epochs - 2));
    let means: Vec<f64> = records(&run, "epoch")
        .iter()
        .map(|record| {
            let losses = record["validation"]["loss"].as_array().expect("a list");
            losses.iter().map(number).sum::<f64>() / 5.0
        })
        .collect();
    let least = means.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(means[epochs as usize - 3], least, "{means:?}");
    // Networks by themselves do not.
    let alone = json(&folder.path().join("members/summary.json"));
    let best = alone["best_epoch"].as_array().expect("a list");
    assert!(best.iter().any(|epoch| epoch != &best[0]), "{best:?}");
}

/// Two batches of half the rows make the step of one, and the average of the weights that is kept is what
/// the summary scores and the file predicts.
#[test]
fn accumulated_batches_are_one_and_averages_are_what_is_scored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = root().join("configs/digits.json").display().to_string();
    let common = ["data.shuffle=false", "early_stopping=null", "training.epochs=2"];
    let common = common.into_iter().chain(["model.layers.0.dropout=0", "log.every_steps=1"]);
    let own = [
        ("whole", ["training.batch_size=64", "training.accumulate=1"]),
        ("halves", ["training.batch_size=32", "training.accumulate=2"]),
    ];
    for device in devices() {
        for (out, own) in own {
            let all =
                ["train", &config, "--out", out, "--device", device, "--quiet", "--overwrite"];
            let all = all.into_iter().chain(DIGITS).chain(common.clone()).chain(own);
            succeed(folder.path(), &all.collect::<Vec<_>>());
        }
        let steps = |out: &str| records(&folder.path().join(out), "step");
        let [whole, halves] = ["whole", "halves"].map(steps);
        assert_eq!(whole.len(), halves.len());
        for (one, other) in whole.iter().zip(&halves) {
            for head in 0..5 {
                let [a, b] = [one, other].map(|step| number(&step["loss"][head]));
                let step = &one["step"];
                assert!(relative(a, b) < 1e-5, "{device}, step {step}, head {head}: {a}, {b}");
            }
        }
    }
    let summary = json(&folder.path().join("whole/summary.json"));
    let said = succeed(folder.path(), &["evaluate", "whole", "--device", "cpu", "--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    for head in 0..5 {
        let [a, b] = [&summary["test"]["loss"][head], &said["members"]["loss"][head]].map(number);
        assert!(relative(a, b) < 1e-5, "head {head}: {a} and {b}");
    }
}

/// Heads that begin with the same numbers are the same all along: they see the same rows in the same order.
#[test]
fn heads_go_through_the_rows_in_one_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let golden = root().join("tests/golden");
    // Tensors without an axis of heads are every head's.
    write_weights(folder.path(), |name, shape, data| {
        if !(name.ends_with("0.weight") || name.ends_with("1.weight")) {
            shape.remove(0);
            data.truncate(4 * shape.iter().product::<usize>());
        }
    });
    let layer = |units| json!({ "units": units, "activation": "tanh", "adapters": "tabm" });
    let config = json!({
        "members": 3,
        "data": { "train": golden.join("sharing.csv"), "target": "y", "validation": 0.25 },
        "model": { "layers": [layer(7), layer(6)], "init_from": "w.safetensors" },
        "optimizer": { "name": "adam", "learning_rate": 0.02 },
        "training": { "epochs": 4, "batch_size": 16 },
        "log": { "every_steps": 1 },
    });
    write(folder.path(), "c.json", &config);
    succeed(folder.path(), &["train", "c.json", "--device", "cpu", "--out", "run", "--quiet"]);
    let steps = records(&folder.path().join("run"), "step");
    assert_eq!(steps.len(), 24);
    for step in &steps {
        let losses = step["loss"].as_array().expect("a list");
        assert!(losses.iter().all(|loss| loss == &losses[0]), "{step}");
    }
    let of = |step: &Value| number(&step["loss"][0]);
    assert!(of(&steps[23]) < 0.9 * of(&steps[0]), "{} {}", steps[0], steps[23]);
}

/// What one head cannot learn from, none does: the training ends, with one message.
#[test]
fn a_head_that_diverges_ends_the_training() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let golden = root().join("tests/golden");
    // The second head's output is out of f32's range at once, the others' are not.
    write_weights(folder.path(), |name, _, data| {
        if name == "layers.2.bias" {
            data[4..8].copy_from_slice(&3e38_f32.to_le_bytes());
        }
    });
    let layer = |units| json!({ "units": units, "activation": "tanh", "adapters": "tabm" });
    let config = json!({
        "members": 4,
        "data": { "train": golden.join("sharing.csv"), "target": "y", "validation": 0, "test": 0 },
        "model": { "layers": [layer(7), layer(6)], "init_from": "w.safetensors" },
        "loss": "mse",
        "training": { "epochs": 3, "batch_size": 16 },
    });
    write(folder.path(), "c.json", &config);
    for device in devices() {
        let arguments = ["train", "c.json", "--device", device, "--out", device];
        let output = wgfit(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{device}: {said}");
        assert_eq!(said.matches("diverged").count(), 1, "{device}: {said}");
        assert!(said.contains("member 1") && said.contains("step 1"), "{device}: {said}");
        assert!(said.contains("the loss is not finite"), "{device}: {said}");
    }
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = root().join("configs/digits.json").display().to_string();
    let tabm = "model.layers.0.adapters=tabm";
    for (more, parts) in [
        (&[tabm][..], &["model.layers[0].adapters", "nobody to share", "members"][..]),
        (&[tabm, "members=4", "data.folds=4"], &["model.layers[0].adapters", "data.folds"]),
        (
            &[tabm, "members=4", "training.precision=f16"],
            &["model.layers[0].adapters", "training.precision"],
        ),
        (
            &["model.layers.0.adapters=tabmini", "members=4"],
            &["model.layers[0].adapters", "tabm_mini"],
        ),
    ] {
        let arguments = ["train", &config, "--out", "never", "--device", "cpu"];
        let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
        let output = wgfit(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{more:?}: {said}");
        assert!(!folder.path().join("never").exists());
    }
    // Weights of heads by themselves are no shared ones.
    let out = ["--out", "plain", "--device", "cpu", "--quiet"];
    let plain: Vec<&str> =
        ["train", &config, "members=4", "training.epochs=1"].into_iter().chain(out).collect();
    succeed(folder.path(), &plain);
    let from =
        format!("model.init_from={}", folder.path().join("plain/model.safetensors").display());
    let output =
        wgfit(folder.path(), &["train", &config, tabm, "members=4", &from, "--device", "cpu"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("layers.0.weight has shape [4, "), "{said}");
}
