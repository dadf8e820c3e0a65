//! `wgfit sweep`: every trial is its own single run, whatever trains beside it and whoever had its lane
//! before; what is killed goes on to the same table; what cannot be swept is refused.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{command, devices, json, root, succeed, wgfit};
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

/// All that members may differ in, drawn at random, in three lanes that are given on: with trials of other
/// lengths, schedules of their own, and early stopping.
#[test]
fn each_trial_is_its_single_run() {
    let space = object!({
        "optimizer.learning_rate": { "log_uniform": [1e-3, 1e-2] },
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
        succeed(folder.path(), &["evaluate", &model, "--data", &data, "--device", "cpu"]);
        let ready = swept.join("best.json").display().to_string();
        let out = ["--out", "again", "--device", device, "-q"];
        succeed(folder.path(), &[&["train", ready.as_str()][..], &out].concat());
        let again = json(&folder.path().join("again/summary.json"));
        let loss = number_of(&again["validation"]["loss"]);
        assert!((loss - least).abs() < 1e-4, "{loss} {least}");
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

fn schedulers() -> [(&'static str, Value); 4] {
    [
        ("none", Value::Null),
        ("asha", object!({ "name": "asha", "min_epochs": 2, "reduction": 2 })),
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
            "optimizer.learning_rate": { "log_uniform": [1e-4, 3e-2] },
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
        }
        assert!(!out.join("state").exists(), "{name}");
    }
}

/// Killed at ten moments, resumed each time: the same table and records as without, whatever stops trials,
/// in memory and streamed.
#[test]
#[cfg(unix)]
fn a_sweep_that_is_killed_goes_on_to_the_same_table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kills: usize =
        std::env::var("WGFIT_TEST_KILLS").map_or(10, |n| n.parse().expect("a number"));
    let mut seed = 11_u64;
    let mut cases: Vec<(String, Value, bool)> =
        schedulers().into_iter().map(|(name, of)| (name.to_owned(), of, false)).collect();
    cases.push(("streamed".to_owned(), Value::Null, true));
    for (name, scheduler, streamed) in cases {
        let sweep = searching(folder.path(), &name, &scheduler, streamed);
        let whole = format!("{name}-whole");
        let begun = Instant::now();
        succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--out", &whole, "--quiet"]);
        let took = begun.elapsed().as_millis() as u64;
        let resume = ["sweep", &sweep, "--device", "cpu", "--out", &name, "--quiet", "--resume"];
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        for _ in 0..kills / 2 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut command = command(folder.path(), &resume, &cache);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child: Child = command.spawn().expect("the binary runs");
            sleep(Duration::from_millis(took / 8 + (seed >> 33) % (took / 2).max(1)));
            let kill = Command::new("kill").args(["-9", &child.id().to_string()]).status();
            kill.expect("kill runs");
            child.wait().expect("it has ended");
        }
        succeed(folder.path(), &resume);
        for file in ["results.csv", "trials.jsonl", "epochs.jsonl", "best.safetensors", "best.json"]
        {
            let read = |of: &str| fs::read(folder.path().join(of).join(file)).expect("a file");
            assert!(read(&whole) == read(&name), "{name}: {file} is another");
        }
    }
}

/// A device that is lost within a sweep is opened again, and the table is the same.
#[test]
fn a_sweep_whose_device_is_lost_goes_on() {
    devices();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, asha) = schedulers()[1].clone();
    let sweep = searching(folder.path(), "lost", &asha, false);
    let run = ["sweep", &sweep, "--device", "llvmpipe", "--out"];
    succeed(folder.path(), &[&run[..], &["whole", "-q"]].concat());
    // In the middle of the second group, after some states of it.
    let output = wgfit(folder.path(), &[&run[..], &["lost", "--plant-loss", "150"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("goes on from its last state on llvmpipe").count(), 1, "{said}");
    for file in ["results.csv", "trials.jsonl", "epochs.jsonl", "best.safetensors"] {
        let read = |of: &str| fs::read(folder.path().join(of).join(file)).expect("a file");
        assert!(read("whole") == read("lost"), "{file} is another:\n{said}");
    }
}

/// A state that was changed by hand is refused, whatever it says.
#[test]
#[cfg(unix)]
fn a_state_of_other_trials_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sweep = searching(folder.path(), "changed", &Value::Null, false);
    let run = ["sweep", &sweep, "--device", "cpu", "--out", "changed", "-q", "--resume"];
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let progress = folder.path().join("changed/state/progress.json");
    let mut child = command(folder.path(), &run, &cache).spawn().expect("the binary runs");
    let begun = Instant::now();
    while !progress.exists() && begun.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(1));
    }
    let kill = Command::new("kill").args(["-9", &child.id().to_string()]).status();
    kill.expect("kill runs");
    child.wait().expect("it has ended");
    let whole = json(&progress);
    let changes: [(&str, Value); 5] = [
        ("/lanes", object!([])),
        ("/places/0/trial", 9999.into()),
        ("/standing", object!("../../../etc/passwd")),
        ("/trials", 99_999_999.into()),
        ("/places", object!([])),
    ];
    for (place, value) in changes {
        let mut state = whole.clone();
        *state.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
        fs::write(&progress, state.to_string()).expect("written");
        let output = wgfit(folder.path(), &run);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{place}: {said}");
        assert!(said.contains("--overwrite") && !said.contains("panicked"), "{place}: {said}");
    }
    fs::write(&progress, whole.to_string()).expect("written");
    succeed(folder.path(), &run);
}

fn refused(folder: &Path, sweep: &Value) -> (Option<i32>, String) {
    let path = write(folder, "sweep.json", sweep);
    let output = wgfit(folder, &["sweep", &path, "--device", "cpu", "--out", "refused"]);
    assert!(!folder.join("refused").exists(), "{sweep}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_cannot_be_swept_is_refused_in_so_many_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = write(folder.path(), "base.json", &base());
    let with = |space: Value| object!({ "config": config, "space": space });
    let rate = || object!({ "optimizer.learning_rate": [0.1] });
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut base = base();
        change(&mut base);
        object!({ "config": base, "space": rate() })
    };
    let cases: Vec<(Value, &[&str])> = vec![
        (
            with(object!({ "optimizer.learning_rat": [0.1] })),
            &["sweep.json:1", "learning_rat", "learning_rate"],
        ),
        (
            with(object!({ "model.layers.7.units": [8] })),
            &["sweep.json:1", "model.layers[7]", "0 to 1"],
        ),
        (
            with(object!({ "optimizer.learning_rate": [] })),
            &["space.optimizer.learning_rate", "without values"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "uniform": [0.1, 0.1] } })),
            &["from 0.1 to 0.1 is empty"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "log_uniform": [0, 0.1] } })),
            &["0 has no logarithm"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "log_uniform": [1e-4, 0.1] } })),
            &["\"points\": 5"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "loguniform": [1e-4, 0.1] } })),
            &["unknown key", "log_uniform"],
        ),
        (
            with(object!({ "optimizer.learning_rate": [0.1, -1] })),
            &["sweep.json:1", "optimizer.learning_rate", "-1"],
        ),
        (with(object!({ "data.validation": [0.1, 0.2] })), &["may not vary", "the same rows"]),
        (with(object!({ "log.every_steps": [1, 2] })), &["may not vary", "records of its own"]),
        (with(object!({})), &["no key of the config is varied"]),
        (object!({ "space": rate() }), &["`config`", "required"]),
        (
            object!({ "config": config, "space": rate(), "schedular": "asha" }),
            &["schedular", "scheduler"],
        ),
        (object!({ "config": config, "space": rate(), "scheduler": "ash" }), &["\"ash\"", "asha"]),
        (
            object!({ "config": config, "space": rate(), "scheduler": { "name": "asha", "reduction": 1 } }),
            &["scheduler.reduction", "2 or more"],
        ),
        (
            object!({ "config": config, "space": rate(), "search": "random" }),
            &["search.trials", "64"],
        ),
        (
            object!({ "config": config, "space": rate(), "monitor": "val_acuracy" }),
            &["val_acuracy", "val_accuracy"],
        ),
        (
            changed(&|base| {
                base["data"]["validation"] = 0.0.into();
            }),
            &["data.validation", "do not train on"],
        ),
        (
            changed(&|base| base["training"]["on_divergence"] = "restart".into()),
            &["on_divergence", "stopped"],
        ),
        (changed(&|base| base["members"] = 3_000_000_000_u64.into()), &["members", "fit"]),
        (
            changed(&|base| {
                base["data"].as_object_mut().expect("data").remove("validation");
                base["data"]["folds"] = 500.into();
            }),
            &["data.folds"],
        ),
        (
            with(object!({ "loss": ["categorical_cross_entropy", "categorical_focal"] })),
            &["different losses", "val_accuracy"],
        ),
    ];
    for (sweep, words) in cases {
        let (code, said) = refused(folder.path(), &sweep);
        assert_eq!(code, Some(2), "{sweep}\n{said}");
        assert_eq!(said.matches("error").count(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in\n{said}\nof {sweep}");
        }
    }
    let (code, said) = refused(folder.path(), &object!({ "config": "none.json", "space": rate() }));
    assert!(code == Some(1) && said.contains("none.json"), "{said}");
    // Lanes that memory does not hold, of networks that it holds: how many fit is said.
    let mut wide = base();
    wide["model"] = object!({ "layers": [{ "units": 20_000 }] });
    let mut sweep = object!({ "config": wide, "space": { "optimizer.learning_rate": { "uniform": [0.1, 0.2] } } });
    sweep["search"] = object!({ "name": "random", "trials": 90_000 });
    sweep["lanes"] = 90_000.into();
    let (code, said) = refused(folder.path(), &sweep);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`lanes`") && said.contains(" fit"), "{said}");
}

/// A folder that holds a sweep is kept; another sweep does not go on in it.
#[test]
fn a_folder_of_a_sweep_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = write(folder.path(), "base.json", &base());
    let of =
        |rates: Value| object!({ "config": config, "space": { "optimizer.learning_rate": rates } });
    let sweep = write(folder.path(), "sweep.json", &of(object!([0.01, 0.02])));
    let plan = succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--dry-run"]);
    assert!(plan.contains("2 trials") && plan.contains("64-16-9-10"), "{plan}");
    assert!(!folder.path().join("runs").exists());
    let path = succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--quiet"]);
    assert_eq!(path.trim(), "runs/sweep-1");
    let out: PathBuf = folder.path().join("runs/sweep-1");
    let before = fs::read(out.join("results.csv")).expect("results");
    let again =
        wgfit(folder.path(), &["sweep", &sweep, "--device", "cpu", "--out", "runs/sweep-1"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already holds a sweep"));
    succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--resume", "--quiet"]);
    assert!(fs::read(out.join("results.csv")).expect("results") == before);
    let other = write(folder.path(), "other.json", &of(object!([0.01, 0.03])));
    let mut state = json(&out.join("sweep.json"));
    state["data"] = object!(["x"]);
    let resumed = wgfit(folder.path(), &["train", &config, "--out", "runs/sweep-1"]);
    assert_eq!(resumed.status.code(), Some(2), "a run does not write into a sweep's folder");
    fs::remove_file(out.join("summary.json")).expect("removed");
    let resumed = wgfit(
        folder.path(),
        &["sweep", &other, "--device", "cpu", "--out", "runs/sweep-1", "--resume"],
    );
    assert_eq!(resumed.status.code(), Some(2));
    let said = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(said.contains("begun with another") && said.contains("0.03"), "{said}");
}
