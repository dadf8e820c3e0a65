//! Cross-validation: the network of each fold is what a run of its own on that fold's rows gives.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::{devices, json, number, records, relative, succeed, wgfit};
use serde_json::{Value, json};
use wgfit::Config;
use wgfit::data::{self, Folds};

const ROWS: usize = 101;

/// Two numbers that decide a third one, with a weight and a time out of order.
fn table(rows: impl Iterator<Item = usize>) -> String {
    let mut text = String::from("a,b,when,w,y\n");
    for row in rows {
        let (a, b) = ((row * 7919 % 101) as f64 / 50.0 - 1.0, (row * 31 % 97) as f64 / 48.0 - 1.0);
        let y = (3.0 * a).sin() + a * b;
        let weight = 0.5 + (row % 4) as f64 / 2.0;
        writeln!(text, "{a},{b},{},{weight},{y}", row * 53 % 101).expect("text");
    }
    text
}

fn config(data: Value, model: Value) -> Value {
    let mut config = json!({
        "seed": 3,
        "data": {
            "train": "rows.csv", "target": "y", "scaling": "none", "target_scaling": "none",
            "columns": { "w": { "type": "weight" }, "when": { "type": "ignore" } },
        },
        "model": model,
        "optimizer": { "name": "nadam", "learning_rate": 0.02 },
        "schedule": "cosine",
        // The rows of a fold's network are two batches, those of the others three, the last of one row.
        "training": { "epochs": 4, "batch_size": 33 },
        "early_stopping": null,
        // The last is made of the outputs of all rows.
        "metrics": ["r2", "explained_variance"],
        "log": { "every_steps": 1, "tensorboard": false, "histograms_every": 0 },
    });
    let all = config["data"].as_object_mut().expect("an object");
    all.extend(data.as_object().expect("an object").clone());
    config
}

fn folds_of(folder: &Path, config: &Value) -> Folds {
    let config = Config::parse(&config.to_string(), "config", &[]).expect("a config");
    let dataset = data::load(&config.validate(folder).expect("settings").data).expect("rows");
    dataset.folds.expect("folds")
}

/// Trains on one fold alone: its rows are files of their own.
fn alone(folder: &Path, config: &Value, folds: &Folds, fold: usize, device: &str) -> String {
    let rows = |rows: Vec<u32>| table(rows.into_iter().map(|row| row as usize));
    fs::write(folder.join("trained.csv"), rows(folds.trained(fold))).expect("rows");
    fs::write(folder.join("validated.csv"), rows(folds.validated(fold))).expect("rows");
    let mut config = config.clone();
    let data = config["data"].as_object_mut().expect("an object");
    data.remove("folds");
    data.remove("split");
    data.insert("train".to_owned(), json!("trained.csv"));
    data.insert("validation".to_owned(), json!("validated.csv"));
    train(folder, &config, &format!("fold-{fold}"), device)
}

fn train(folder: &Path, config: &Value, name: &str, device: &str) -> String {
    fs::write(folder.join(format!("{name}.json")), config.to_string()).expect("a config");
    let run = format!("run-{name}-{device}");
    let file = format!("{name}.json");
    let arguments = ["train", &file, "--device", device, "--out", &run, "--overwrite", "--quiet"];
    succeed(folder, &arguments);
    run
}

/// Compares the epochs, the steps and the summary of a member with those of a run of its own.
fn assert_alike(folder: &Path, run: &str, member: usize, own: &str) {
    let (run, own) = (folder.join(run), folder.join(own));
    let close = |ours: &Value, theirs: &Value, what: &str| {
        let ours = &ours[member];
        // A member that is done with its rows takes no step.
        if theirs.is_null() {
            assert!(ours.is_null(), "{what}: {ours}");
            return;
        }
        let (ours, theirs) = (number(ours), number(theirs));
        assert!(relative(ours, theirs) < 1e-4, "{what} of member {member}: {ours} and {theirs}");
    };
    let (epochs, its) = (records(&run, "epoch"), records(&own, "epoch"));
    assert_eq!(epochs.len(), its.len());
    for (ours, theirs) in epochs.iter().zip(&its) {
        for set in ["train", "validation"] {
            for metric in ["loss", "r2", "explained_variance"] {
                close(&ours[set][metric], &theirs[set][metric], &format!("{set} {metric}"));
            }
        }
    }
    let (steps, its) = (records(&run, "step"), records(&own, "step"));
    let a_epoch = its.len() / epochs.len();
    for theirs in &its {
        // The numbering of steps goes by the member that takes most of them.
        let (step, epoch) = (number(&theirs["step"]) as usize, number(&theirs["epoch"]) as usize);
        let within = step - (epoch - 1) * a_epoch - 1;
        let ours = steps.iter().filter(|ours| ours["epoch"] == theirs["epoch"]).nth(within);
        let ours = ours.expect("a step of that epoch");
        for key in ["loss", "grad_norm", "learning_rate"] {
            close(&ours[key], &theirs[key], key);
        }
    }
    let (ours, theirs) = (json(&run.join("summary.json")), json(&own.join("summary.json")));
    for set in ["train", "validation"] {
        close(&ours[set]["loss"], &theirs[set]["loss"], &format!("{set} loss kept"));
    }
}

/// Without chance in it, the network of every fold; by time they differ in rows and steps.
#[test]
fn each_fold_is_a_run_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rows.csv"), table(0..ROWS)).expect("rows");
    let model = json!({ "layers": [], "output": { "init": "zeros" } });
    for split in [json!("random"), json!({ "time": "when" })] {
        let data = json!({ "folds": 3, "shuffle": false, "split": split });
        let config = config(data, model.clone());
        let folds = folds_of(folder.path(), &config);
        for device in devices() {
            let run = train(folder.path(), &config, "folds", device);
            for fold in 0..3 {
                let own = alone(folder.path(), &config, &folds, fold, device);
                assert_alike(folder.path(), &run, fold, &own);
            }
        }
    }
}

/// Shuffled, drawn and with dropout: member 0, whose random numbers are those of a plain run. Two seeds a
/// fold: members 0 and 3 share theirs.
#[test]
fn the_first_member_draws_as_a_plain_run() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rows.csv"), table(0..ROWS)).expect("rows");
    let model = json!({ "layers": [{ "units": 9, "activation": "tanh", "dropout": 0.2 }] });
    let mut config = config(json!({ "folds": 3 }), model);
    config["members"] = json!(6);
    // Even and fused: no batch of one row.
    config["training"]["batch_size"] = json!(20);
    config["log"]["every_steps"] = json!(0);
    let folds = folds_of(folder.path(), &config);
    for device in devices() {
        let run = train(folder.path(), &config, "seeds", device);
        let mut plain = config.clone();
        plain["members"] = json!(1);
        let own = alone(folder.path(), &plain, &folds, 0, device);
        assert_alike(folder.path(), &run, 0, &own);
        let epoch = records(&folder.path().join(&run), "epoch").pop().expect("an epoch");
        let losses = &epoch["validation"]["loss"];
        assert_eq!(losses.as_array().map(Vec::len), Some(6));
        assert_ne!(losses[0], losses[3]);
    }
}

#[test]
fn a_cross_validation_is_told_scored_and_predicts() {
    let folder = tempfile::tempdir().expect("a folder");
    let iris = common::root().join("configs/iris.json");
    let iris = iris.to_string_lossy();
    let run = folder.path().join("run");
    let out = run.to_string_lossy();
    let arguments =
        ["train", &iris, "data.folds=5", "training.epochs=20", "--device", "cpu", "--out", &out];
    let output = wgfit(folder.path(), &arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    for words in ["in 5 folds", "(mean of 5 folds)", "deviation", "linear"] {
        assert!(told.contains(words), "{words:?} is not in\n{told}");
    }
    let summary = json(&run.join("summary.json"));
    assert_eq!(summary["folds"], 5);
    assert_eq!(summary["validation"]["accuracy"].as_array().map(Vec::len), Some(5));
    let page = fs::read_to_string(run.join("report.html")).expect("a page");
    assert!(page.contains("over the folds"));
    // Its own config trains it again to the same bits.
    let again = folder.path().join("again");
    let config = run.join("config.json");
    let (config, again_out) = (config.to_string_lossy(), again.to_string_lossy());
    succeed(folder.path(), &["train", &config, "--device", "cpu", "--out", &again_out]);
    let model = |run: &Path| fs::read(run.join("model.safetensors")).expect("a model");
    assert!(model(&run) == model(&again));
    // All of them predict together.
    let data = common::root().join("configs/data/iris.csv");
    let predictions = succeed(
        folder.path(),
        &["predict", &out, "--data", &data.to_string_lossy(), "--device", "cpu"],
    );
    assert_eq!(predictions.lines().count(), 151);
    // What no fold has is what it is evaluated on.
    let scores = succeed(folder.path(), &["evaluate", &out, "--device", "cpu"]);
    assert!(scores.contains("accuracy"), "{scores}");
    let arguments = ["data.folds=5", "data.test=0", "training.epochs=1", "--device", "cpu"];
    let all = ["train", &iris, "--out", "all"];
    succeed(folder.path(), &[&all[..], &arguments[..]].concat());
    let output = wgfit(folder.path(), &["evaluate", "all", "--device", "cpu"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("trained on every row, in 5 folds"), "{told}");
}

#[test]
fn what_cannot_be_folded_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let iris = common::root().join("configs/iris.json");
    let iris = iris.to_string_lossy();
    for (change, words) in [
        ("data.folds=1", "expected 2 or more, found 1"),
        ("data.folds=51", "folds are too many"),
        ("members=4", "cannot share 3 folds"),
        ("data.validation=0.3", "given beside data.folds"),
        ("data.streaming=true", "cannot be cut into folds"),
        ("data.chunk_rows=8", "cannot be cut into folds"),
    ] {
        let output =
            wgfit(folder.path(), &["train", &iris, "data.folds=3", change, "--device", "cpu"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{change}: {told}");
        assert!(told.contains(words), "{change}: {told}");
    }
}
