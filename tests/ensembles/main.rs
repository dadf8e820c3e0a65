//! Members as one model: `predict`, `evaluate` and onnxruntime say what the members' averages say, and no
//! convex loss of it is above the members' mean.

#[path = "../common/mod.rs"]
mod common;

mod asked;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use asked::{Asked, Table, close};
use common::{devices, json, number, relative, root, succeed, wgfit};
use serde_json::{Value, json};
use wgfit::config::data::Task;

/// Every third row of a file is held out.
fn cut(folder: &Path, file: &str) {
    let text = fs::read_to_string(root().join("configs/data").join(file)).expect("data");
    let mut lines = text.lines();
    let header = lines.next().expect("a header");
    let (mut train, mut held) = (format!("{header}\n"), format!("{header}\n"));
    for (at, line) in lines.enumerate() {
        let to = if at % 3 == 2 { &mut held } else { &mut train };
        writeln!(to, "{line}").expect("text");
    }
    fs::write(folder.join(file), train).expect("rows");
    fs::write(folder.join(format!("held_{file}")), held).expect("rows");
}

/// Eight networks on digits: never worse than their mean, whoever is asked.
#[test]
fn eight_members_are_better_than_their_mean() {
    let folder = tempfile::tempdir().expect("a folder");
    cut(folder.path(), "digits.csv");
    let config = json!({
        "members": 8,
        "data": { "train": "digits.csv", "target": "label", "scaling": "minmax", "test": 0.1 },
        "model": { "layers": [{ "units": 24, "dropout": 0.1 }] },
        "optimizer": { "name": "adam", "learning_rate": 0.01 },
        "training": { "epochs": 4, "batch_size": 32 },
    });
    let asked =
        Asked::new(folder.path(), "digits", "held_digits.csv", Task::Classification, config);
    for device in devices() {
        asked.hold(device);
    }
    let evaluated = asked.evaluated("cpu");
    let matrix = evaluated["confusion_matrix"].as_array().expect("a matrix");
    let right: f64 = (0..10).map(|class| number(&matrix[class][class])).sum();
    close(right / 599.0, number(&evaluated["accuracy"]), "the confusion matrix's diagonal");

    // What the summary says of the run's own test rows, `evaluate` says again.
    let summary = json(&folder.path().join("digits/summary.json"));
    let again = succeed(folder.path(), &["evaluate", "digits", "--device", "cpu", "--json"]);
    let again: Value = serde_json::from_str(&again).expect("JSON");
    let ensemble = &summary["ensemble"];
    assert!(ensemble["train"].is_null(), "{ensemble}");
    for set in ["validation", "test"] {
        let mean =
            summary[set]["loss"].as_array().expect("a list").iter().map(number).sum::<f64>() / 8.0;
        assert!(number(&ensemble[set]["loss"]) < mean, "{set}");
    }
    for (metric, value) in ensemble["test"].as_object().expect("scores") {
        assert!(relative(number(value), number(&again[metric])) < 1e-5, "{metric}");
    }
    // So does its text.
    let text = succeed(folder.path(), &["evaluate", "digits", "--device", "cpu"]);
    let line = text.lines().find(|line| line.starts_with("log_loss")).expect("a line");
    let values: Vec<&str> = line.split_whitespace().skip(1).collect();
    let shown = |value: &Value| wgfit::report::score(number(value));
    let [mean, deviation] = ["mean", "deviation"].map(|key| shown(&again[key]["log_loss"]));
    assert_eq!(values, [shown(&again["log_loss"]), mean, deviation], "{text}");
}

/// So are heads that share weights, of which each by itself is a network of weights that are made of them.
#[test]
fn heads_are_one_model() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["digits.csv", "diabetes.csv"] {
        cut(folder.path(), file);
    }
    let config = |data: Value, adapters: &str| {
        json!({
            "members": 4,
            "data": data,
            "model": { "layers": [
                { "units": 24, "adapters": adapters },
                { "units": 24, "adapters": adapters, "norm": "layer_norm", "residual": true },
            ] },
            "optimizer": { "name": "adam", "learning_rate": 0.01 },
            "training": { "epochs": 4, "batch_size": 32 },
        })
    };
    let digits = json!({ "train": "digits.csv", "target": "label", "scaling": "minmax" });
    let patients = json!({ "train": "diabetes.csv", "target": "progression" });
    for adapters in ["tabm", "tabm_mini"] {
        for (file, task, data) in [
            ("held_digits.csv", Task::Classification, &digits),
            ("held_diabetes.csv", Task::Regression, &patients),
        ] {
            let name = format!("{adapters}-{file}");
            let config = config(data.clone(), adapters);
            let asked = Asked::new(folder.path(), &name, file, task, config);
            for device in devices() {
                asked.hold(device);
            }
        }
    }
}

#[test]
fn tumours_and_patients_are_predicted_together() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["breast_cancer.csv", "diabetes.csv"] {
        cut(folder.path(), file);
    }
    let config = |file: &str, target: &str| {
        json!({
            "members": 8,
            "data": { "train": file, "target": target, "validation": 0.1 },
            "model": { "layers": [{ "units": 12 }] },
            "optimizer": { "name": "adam", "learning_rate": 0.02 },
            "training": { "epochs": 8, "batch_size": 32 },
        })
    };
    let binary = config("breast_cancer.csv", "diagnosis");
    Asked::new(folder.path(), "binary", "held_breast_cancer.csv", Task::Binary, binary).hold("cpu");
    let numbers = config("diabetes.csv", "progression");
    Asked::new(folder.path(), "numbers", "held_diabetes.csv", Task::Regression, numbers)
        .hold("cpu");
}

/// Labels, several targets, and losses whose outputs are not the predictions.
#[test]
fn every_kind_of_target_is_averaged_as_predicted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::from("a,b,warm,wet,count,change\n");
    for row in 0..240 {
        let (a, b) = (f64::from(row * 7 % 20) / 10.0, f64::from(row / 20 % 11) / 5.0);
        let noise = f64::from(row * 7919 % 17) / 17.0;
        let (warm, wet) = (u8::from(a > b), u8::from(a + b + noise > 2.5));
        let count = 1 + (a * 2.0 + noise * 3.0) as u32;
        writeln!(text, "{a},{b},{warm},{wet},{count},{}", 1.0 + a * b * 30.0 + noise)
            .expect("text");
    }
    fs::write(folder.path().join("rows.csv"), text).expect("rows");
    let others = |kept: &[&str]| -> Value {
        let all =
            ["warm", "wet", "count", "change"].into_iter().filter(|name| !kept.contains(name));
        all.map(|name| (name.to_owned(), json!({ "type": "ignore" })))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for (name, targets, task, loss) in [
        ("labels", vec!["warm", "wet"], Task::Multilabel, "auto"),
        ("several", vec!["count", "change"], Task::Regression, "huber"),
        ("poisson", vec!["count"], Task::Regression, "poisson"),
        ("gaussian", vec!["change"], Task::Regression, "gaussian_nll"),
    ] {
        let config = json!({
            "members": 3,
            "data": {
                "train": "rows.csv", "target": targets, "task": task, "columns": others(&targets),
            },
            "model": { "layers": [{ "units": 8 }] },
            "loss": loss,
            "optimizer": { "name": "adam", "learning_rate": 0.02 },
            "training": { "epochs": 6, "batch_size": 16 },
        });
        let asked = Asked::new(folder.path(), name, "rows.csv", task, config);
        asked.hold("cpu");
        if name == "poisson" {
            // The loss is that of what is predicted: the mean rate.
            let rates = asked.predicted("cpu").numbers("prediction");
            let losses = rates.iter().zip(asked.truth()).map(|(rate, y)| rate - y * rate.ln());
            let mean = losses.sum::<f64>() / rates.len() as f64;
            close(number(&asked.evaluated("cpu")["loss"]), mean, "the loss of mean rates");
        }
    }
}

/// Parquet and NPY hold the same columns; without being asked for there are none of them.
#[test]
fn the_spread_is_written_where_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let iris = root().join("configs/iris.json");
    let iris = iris.to_str().expect("text");
    let rows = root().join("configs/data/iris.csv");
    let rows = rows.to_str().expect("text");
    let train = ["train", iris, "--device", "cpu", "--quiet", "training.epochs=3", "--out"];
    succeed(at, &[&train[..], &["several", "members=3"]].concat());
    succeed(at, &[&train[..], &["one"]].concat());
    let predict = |more: &[&str]| {
        let all = [&["predict", "several", "--data", rows, "--device", "cpu"][..], more].concat();
        succeed(at, &all)
    };
    predict(&["--spread", "--out", "s.csv"]);
    predict(&["--spread", "--out", "s.npy"]);
    predict(&["--spread", "--out", "s.parquet", "--copy", "petal_length"]);
    let table = Table::read(&at.join("s.csv"));
    let classes = ["setosa", "versicolor", "virginica"];
    let probabilities = classes.map(|class| format!("probability_{class}"));
    let spreads = classes.map(|class| format!("spread_{class}"));
    let mut names: Vec<String> = [probabilities.to_vec(), spreads.to_vec()].concat();
    names.push("mutual_information".to_owned());
    let numbers = table.rows_of(&names);
    names.push("prediction".to_owned());
    assert_eq!(table.names(), names);
    let npy = fs::read(at.join("s.npy")).expect("an array");
    let values = npy[128..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    assert_eq!(
        values.map(f64::from).map(|x| x as f32).collect::<Vec<_>>(),
        numbers.iter().map(|x| *x as f32).collect::<Vec<_>>()
    );
    let parquet = fs::File::open(at.join("s.parquet")).expect("a file");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet);
    let schema = reader.expect("Parquet").schema().clone();
    let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(found[0], "petal_length");
    assert_eq!(found[1..], names);
    // Unasked, the contract's columns alone.
    let plain = predict(&[]);
    let unasked = [probabilities.to_vec(), vec!["prediction".to_owned()]].concat().join(",");
    assert_eq!(plain.lines().next(), Some(unasked.as_str()));
    // One network has none.
    for arguments in [
        &["predict", "one", "--data", rows, "--spread"][..],
        &["export", "one", "--format", "onnx", "--out", "x.onnx", "--spread"],
        &["export", "several", "--format", "safetensors", "--out", "x.onnx", "--spread"],
    ] {
        let output = wgfit(at, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("spread") && !at.join("x.onnx").exists(), "{said}");
    }
}

/// The networks of folds were trained on each other's rows: together they are scored on those of none.
#[test]
fn folds_are_scored_together_on_test_rows_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let iris = root().join("configs/iris.json");
    let iris = iris.to_str().expect("text");
    let folds = ["data.folds=4", "data.validation=0", "data.test=0.2", "training.epochs=5"];
    let train = ["train", iris, "--device", "cpu", "--quiet", "members=4", "--out", "run"];
    succeed(at, &[&train[..], &folds].concat());
    let ensemble = json(&at.join("run/summary.json"))["ensemble"].clone();
    let sets: Vec<&String> = ensemble.as_object().expect("sets").keys().collect();
    assert_eq!(sets, ["test"]);
    let text = succeed(at, &["evaluate", "run", "--device", "cpu", "--json"]);
    let evaluated: Value = serde_json::from_str(&text).expect("JSON");
    for (metric, value) in ensemble["test"].as_object().expect("scores") {
        close(number(value), number(&evaluated[metric]), metric);
    }
    assert!(number(&evaluated["loss"]) < number(&evaluated["mean"]["loss"]));
    let page = fs::read_to_string(at.join("run/report.html")).expect("a page");
    assert!(page.contains("test, the ensemble"));
}
