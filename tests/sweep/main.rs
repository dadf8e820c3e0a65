//! `wgfit sweep`: every trial is its own single run, whatever trains beside it and whoever had its lane
//! before; what is killed goes on to the same table; what cannot be swept is refused.

#[path = "../common/mod.rs"]
mod common;
mod refused;
mod resumed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{devices, json, root, succeed};
use serde_json::{Value, json as object};

/// A small network on digits; what is varied is a trial's own.
fn base() -> Value {
    object!({
        "seed": 7,
        "data": {
            "train": root().join("configs/data/digits.csv"),
            "target": "label",
            "validation": 0.2,
            "test": 0.1,
            "scaling": "minmax"
        },
        "model": { "layers": [{ "units": 16, "activation": "relu" }, { "units": 9 }] },
        "optimizer": { "name": "adam", "learning_rate": 0.003 },
        "training": { "epochs": 6, "batch_size": 50 },
        "log": { "tensorboard": false, "histograms_every": 0 }
    })
}

fn write(folder: &Path, name: &str, value: &Value) -> String {
    let path = folder.join(name);
    fs::write(&path, value.to_string()).expect("a file");
    path.display().to_string()
}

/// The records of a sweep's trials by number; the last of each.
fn trials(sweep: &Path) -> BTreeMap<u64, Value> {
    lines(&sweep.join("trials.jsonl"))
        .into_iter()
        .map(|record| (record["trial"].as_u64().expect("a number"), record))
        .collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().map(|v| v.as_f64().expect("a number")).collect(),
        one => vec![one.as_f64().expect("a number")],
    }
}

/// Trains the trial alone, and holds its epochs and scores against what the sweep has of it.
fn assert_is_single_run(folder: &Path, base: &str, device: &str, sweep: &Path, trial: &Value) {
    let values = trial["values"].as_object().expect("values");
    let out = format!("single-{}", trial["trial"]);
    let mut arguments = vec!["train", base, "--device", device, "--out", &out, "--overwrite", "-q"];
    let overrides: Vec<String> = values
        .iter()
        .flat_map(|(key, value)| {
            // Two layers stand for each of them.
            let keys = if key.contains('*') {
                vec![key.replace('*', "0"), key.replace('*', "1")]
            } else {
                vec![key.clone()]
            };
            keys.into_iter().map(move |key| format!("{key}={value}"))
        })
        .collect();
    arguments.extend(overrides.iter().map(String::as_str));
    succeed(folder, &arguments);
    let summary = json(&folder.join(&out).join("summary.json"));
    let number = trial["trial"].as_u64();
    let said = format!("{device}, trial {number:?}, {values:?}");
    for key in ["epochs", "best_epoch"] {
        let own =
            if trial[key].is_array() { numbers(&trial[key]) } else { vec![number_of(&trial[key])] };
        assert_eq!(numbers(&summary[key]), own, "{said}: {key}");
    }
    for (set, scores) in trial["scores"].as_object().expect("scores") {
        for (name, value) in scores.as_object().expect("scores") {
            for (own, single) in numbers(value).into_iter().zip(numbers(&summary[set][name])) {
                assert!((own - single).abs() < 1e-4, "{said}: {set} {name} {own}, alone {single}");
            }
        }
    }
    let epochs = common::records(&folder.join(&out), "epoch");
    let of_sweep = lines(&sweep.join("epochs.jsonl"));
    let of_sweep: Vec<_> = of_sweep.iter().filter(|r| r["trial"].as_u64() == number).collect();
    assert_eq!(of_sweep.len(), epochs.len(), "{said}");
    for (own, single) in of_sweep.iter().zip(&epochs) {
        assert_eq!(own["epoch"], single["epoch"], "{said}");
        for key in ["learning_rate", "train", "validation"] {
            let flat = |value: &Value| match value {
                Value::Object(map) => map.values().flat_map(numbers).collect::<Vec<f64>>(),
                other => numbers(other),
            };
            for (own, single) in flat(&own[key]).into_iter().zip(flat(&single[key])) {
                assert!((own - single).abs() < 1e-4, "{said}: {key} {own}, alone {single}");
            }
        }
    }
}

fn number_of(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Sweeps four trials, which are one group and each its single run; the sweep's folder.
fn assert_four_are_single_runs(folder: &Path, base: &str, device: &str, sweep: &str) -> PathBuf {
    succeed(folder, &["sweep", sweep, "--device", device, "--out", "swept", "--quiet"]);
    let swept = folder.join("swept");
    let trials = trials(&swept);
    assert_eq!(trials.len(), 4);
    assert!(trials.values().all(|trial| trial["group"] == 0), "{trials:?}");
    for trial in trials.values() {
        assert_is_single_run(folder, base, device, &swept, trial);
    }
    swept
}

/// The numbers of a loss are a member's own, in training and where it is scored, and so they are of the
/// trial that comes into a lane after another.
#[test]
fn each_trial_has_its_loss() {
    let mut config = base();
    config["loss"] = object!({ "name": "categorical_focal", "gamma": 2 });
    config["training"]["epochs"] = object!(3);
    let space = object!({
        "loss.label_smoothing": [0, 0.15],
        "loss.gamma": [1, 2.5],
    });
    for device in devices() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = write(folder.path(), "base.json", &config);
        let sweep =
            object!({ "config": base, "space": space, "lanes": 3, "monitor": "val_accuracy" });
        let sweep = write(folder.path(), "sweep.json", &sweep);
        assert_four_are_single_runs(folder.path(), &base, device, &sweep);
    }
}

/// Trials of several heads side by side, in lanes that are refilled: what is shared is each trial's own.
#[test]
fn each_trial_of_heads_is_its_single_run() {
    let mut config = base();
    config["members"] = object!(3);
    config["model"]["layers"][0]["adapters"] = object!("tabm");
    config["model"]["layers"][1]["adapters"] = object!("tabm");
    let space = object!({
        "optimizer.learning_rate": { "log_uniform": [3e-3, 3e-2] },
        "model.layers.0.dropout": [0, 0.2],
        "training.epochs": { "int_uniform": [3, 6] },
        "early_stopping.patience": [1, 10]
    });
    for device in devices() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = write(folder.path(), "base.json", &config);
        let sweep = object!({
            "config": base, "space": space, "seed": 4, "lanes": 2,
            "search": { "name": "random", "trials": 4 }
        });
        let sweep = write(folder.path(), "sweep.json", &sweep);
        let swept = assert_four_are_single_runs(folder.path(), &base, device, &sweep);
        // Heads are no independent runs, from which one could tell that a trial is better.
        let compared = &json(&swept.join("summary.json"))["comparisons"];
        assert_eq!(compared.as_array().map(Vec::len), Some(0), "{compared}");
    }
}

/// All that members may differ in, drawn at random, in three lanes that are given on: with trials of other
/// lengths, schedules of their own, and early stopping.
#[test]
fn each_trial_is_its_single_run() {
    let space = object!({
        "optimizer.learning_rate": { "log_uniform": [3e-3, 1e-1] },
        "optimizer.weight_decay": [0, 1e-4, 1e-2],
        "optimizer.beta1": { "uniform": [0.8, 0.95] },
        "model.layers.0.dropout": [0, 0.3],
        "model.layers.*.l2": [0, 1e-3],
        "model.layers.0.init": ["he_normal", "glorot_uniform", { "name": "random_normal", "stddev": 0.2 }],
        "model.layers.1.gaussian_noise": [0, 0.1],
        "schedule": ["constant", { "name": "cosine" }, { "name": "step", "period_epochs": 2 }],
        "training.epochs": { "int_uniform": [3, 7] },
        "early_stopping.patience": [1, 10]
    });
    for device in devices() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = write(folder.path(), "base.json", &base());
        let count = if device == "cpu" { 9 } else { 4 };
        let sweep = object!({
            "config": config, "space": space, "seed": 3, "lanes": 3,
            "search": { "name": "random", "trials": count }
        });
        let sweep = write(folder.path(), "sweep.json", &sweep);
        let run = ["sweep", &sweep, "--device", device, "--out", "swept", "--quiet"];
        succeed(folder.path(), &run);
        let swept = folder.path().join("swept");
        let trials = trials(&swept);
        assert_eq!(trials.len(), count);
        let groups: Vec<_> = trials.values().map(|trial| trial["group"].as_u64()).collect();
        assert!(groups.iter().all(|group| *group == Some(0)), "{device}: {groups:?}");
        for trial in trials.values() {
            assert_is_single_run(folder.path(), &config, device, &swept, trial);
        }
        let is_past_its_best = |trial: &&Value| trial["best_epoch"] != trial["epochs"];
        assert!(
            trials.values().any(|trial| is_past_its_best(&trial)),
            "{device}: none has passed its best epoch"
        );
        // The first of the table is ready to train, and its weights are those of its single run.
        let csv = fs::read_to_string(swept.join("results.csv")).expect("results.csv");
        assert_eq!(csv.lines().count(), count + 1);
        let best = csv.lines().nth(1).and_then(|line| line.split(',').nth(1)).expect("a trial");
        let scores: Vec<f64> = trials.values().map(|trial| number_of(&trial["score"])).collect();
        let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let best = &trials[&best.parse::<u64>().expect("a number")];
        assert_eq!(number_of(&best["score"]), least);
        let model = swept.join("best.safetensors").display().to_string();
        let data = root().join("configs/data/digits.csv").display().to_string();
        let evaluated = |model: &str| -> f64 {
            let run = ["evaluate", model, "--data", &data, "--device", "cpu", "--json"];
            let scores: Value =
                serde_json::from_str(&succeed(folder.path(), &run)).expect("scores");
            number_of(&scores["loss"])
        };
        let ready = swept.join("best.json").display().to_string();
        let out = ["--out", "again", "--device", device, "-q"];
        succeed(folder.path(), &[&["train", ready.as_str()][..], &out].concat());
        let again = json(&folder.path().join("again/summary.json"));
        let loss = number_of(&again["validation"]["loss"]);
        assert!((loss - least).abs() < 1e-4, "{loss} {least}");
        let alone = folder.path().join("again/model.safetensors").display().to_string();
        let off = evaluated(&model) - evaluated(&alone);
        assert!(off.abs() < 1e-4, "{device}: the weights kept are another trial's: {off}");
    }
}

/// Shapes, batch sizes, activations and clipping make trainings of their own; folds and members go along.
#[test]
fn trials_of_other_shapes_are_other_groups_and_folds_are_members() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut base = base();
    base["data"]["folds"] = 3.into();
    base["data"]["validation"] = Value::Null;
    base["data"].as_object_mut().expect("data").remove("validation");
    base["members"] = 6.into();
    base["training"]["epochs"] = 3.into();
    let config = write(folder.path(), "base.json", &base);
    let sweep = object!({
        "config": config,
        "space": {
            "model.layers.0.units": [8, 16],
            "model.layers.0.activation": { "choice": ["tanh"], "when": { "model.layers.0.units": 8 } },
            "optimizer.learning_rate": [0.003, 0.01],
            "optimizer.clip_norm": { "choice": [1.0, 0.5], "when": { "optimizer.learning_rate": 0.01 } }
        }
    });
    let sweep = write(folder.path(), "sweep.json", &sweep);
    succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--out", "swept", "--quiet"]);
    let swept = folder.path().join("swept");
    let trials = trials(&swept);
    // Each of two widths: one rate without clipping, and one with two thresholds.
    assert_eq!(trials.len(), 6);
    let groups: Vec<u64> = trials.values().filter_map(|trial| trial["group"].as_u64()).collect();
    assert_eq!(groups, [0, 1, 1, 2, 3, 3]);
    for trial in trials.values() {
        assert_eq!(numbers(&trial["scores"]["validation"]["loss"]).len(), 6);
        assert_eq!(
            trial["values"].get("model.layers.0.activation").is_some(),
            groups[trial["trial"].as_u64().expect("a number") as usize] < 2
        );
        assert_is_single_run(folder.path(), &config, "cpu", &swept, trial);
    }
    let summary = json(&swept.join("summary.json"));
    assert_eq!(summary["comparisons"].as_array().map(Vec::len), Some(5));
}

fn schedulers() -> [(&'static str, Value); 5] {
    [
        ("none", Value::Null),
        ("asha", object!({ "name": "asha", "min_epochs": 2, "reduction": 2 })),
        (
            "forecast",
            object!({ "name": "asha", "min_epochs": 2, "reduction": 2, "ranked_by": "forecast" }),
        ),
        ("halving", object!({ "name": "successive_halving", "min_epochs": 2, "reduction": 2 })),
        ("median", object!({ "name": "median", "min_epochs": 2 })),
    ]
}

fn searching(folder: &Path, name: &str, scheduler: &Value, streamed: bool) -> String {
    let mut base = base();
    base["training"]["epochs"] = 9.into();
    base["checkpoint"] = object!({ "every_seconds": 0 });
    if streamed {
        base["data"]["streaming"] = true.into();
        base["data"]["streaming_folder"] = folder.join("spill").display().to_string().into();
        base["data"]["chunk_rows"] = 40.into();
    }
    let config = write(folder, &format!("base-{name}.json"), &base);
    let sweep = object!({
        "config": config,
        "space": {
            "optimizer.learning_rate": { "log_uniform": [1e-2, 1e-1] },
            "model.layers.0.dropout": { "uniform": [0, 0.6] },
            "model.layers.0.units": [12, 16]
        },
        "search": { "name": "random", "trials": 14 },
        "scheduler": scheduler,
        "lanes": 4
    });
    write(folder, &format!("{name}.json"), &sweep)
}

/// What is stopped was among the worse, and what goes on to the end has the trial's own course: the same
/// epochs as of a sweep that stops none.
#[test]
fn schedulers_spend_less_and_stop_the_worse() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut whole = BTreeMap::new();
    for (name, scheduler) in schedulers() {
        let sweep = searching(folder.path(), name, &scheduler, false);
        succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--out", name, "--quiet"]);
        let out = folder.path().join(name);
        let trials = trials(&out);
        assert_eq!(trials.len(), 14, "{name}");
        let epochs = lines(&out.join("epochs.jsonl"));
        if name == "none" {
            whole = epochs
                .iter()
                .map(|r| ((r["trial"].as_u64(), r["epoch"].as_u64()), r["value"].clone()))
                .collect();
            continue;
        }
        for record in &epochs {
            let alone = &whole[&(record["trial"].as_u64(), record["epoch"].as_u64())];
            let off = number_of(alone) - number_of(&record["value"]);
            assert!(off.abs() < 1e-4, "{name}: {record} {alone}");
        }
        let stopped: Vec<&Value> = trials.values().filter(|t| t["why"] == "stopped").collect();
        assert!((3..14).contains(&stopped.len()), "{name}: {} stopped", stopped.len());
        assert!(epochs.len() < whole.len() * 4 / 5, "{name}: {} of {}", epochs.len(), whole.len());
        assert!(trials.values().all(|trial| trial["why"] != "paused"), "{name}");
        if name == "halving" {
            let of = |epochs: u64| trials.values().filter(|t| t["epochs"] == epochs).count();
            assert_eq!([of(2), of(4), of(8), of(9)], [7, 4, 2, 1]);
            // One at least goes on from weights that are not its best ones.
            let value = |trial: u64, epoch: u64| whole[&(Some(trial), Some(epoch))].as_f64();
            let is_past_its_best = |trial: u64, pause: u64| {
                trials[&trial]["epochs"].as_u64() > Some(pause)
                    && (1..pause).any(|epoch| value(trial, epoch) < value(trial, pause))
            };
            assert!((0..14).any(|trial| [2, 4, 8].iter().any(|at| is_past_its_best(trial, *at))));
        }
        assert!(!out.join("state").exists(), "{name}");
    }
}
