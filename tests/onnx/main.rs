//! ONNX models on raw columns say in onnxruntime what `wgfit predict` says.

#[path = "../common/mod.rs"]
mod common;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use common::{number, python, root, succeed, wgfit};
use serde_json::{Value, json};

/// The largest difference allowed of a probability, and of a prediction by the size of all.
const TOLERANCE: f64 = 1e-4;

/// A table of numbers and text, with a target of every kind.
fn table(folder: &Path) {
    let mut text =
        String::from("age,city,income,colour,species,sick,count,change,is_a,is b,is_c\n");
    let cities = ["Rome", "São Paulo", "Ulm", "\"Bath, UK\"", "O'Fallon"];
    for row in 0..160_u32 {
        let age = 20 + row * 7 % 50;
        let income = 41_000 + row * 7919 % 30_000;
        let city = cities[(row * row / 3) as usize % 5];
        let colour = ["red", "green"][(row / 3 % 2) as usize];
        let species = ["setosa", "versi color", "virginica"][((row * 7 / 5) % 3) as usize];
        let sick = ["no", "yes"][(age > 45) as usize];
        let count = age / 10;
        let change = f64::from(age) * 12.5 - f64::from(income) / 100.0;
        let labels = [age > 30, income > 55_000, row % 2 == 0].map(u8::from);
        let [a, b, c] = labels;
        writeln!(
            text,
            "{age},{city},{income}.5,{colour},{species},{sick},{count},{change},{a},{b},{c}"
        )
        .expect("a String takes it");
    }
    std::fs::write(folder.join("table.csv"), text).expect("a file");
}

/// Trains a config on the table, exports it, and predicts the table.
fn exported(folder: &Path, name: &str, target: &Value, more: &Value) -> String {
    let targets = ["species", "sick", "count", "change", "is_a", "is b", "is_c"];
    let mut columns = json!({});
    for other in targets {
        if *target != json!(other)
            && !target.as_array().is_some_and(|all| all.contains(&json!(other)))
        {
            columns[other] = json!({ "type": "ignore" });
        }
    }
    let mut config = json!({
        "data": { "train": "table.csv", "target": target, "columns": columns },
        "model": { "layers": [{ "units": 7 }, { "units": 5 }] },
        "training": { "epochs": 3, "batch_size": 16 },
        "log": { "tensorboard": false, "histograms_every": 0 },
    });
    for (key, value) in more.as_object().expect("an object") {
        match (&mut config[key], value) {
            (Value::Object(known), Value::Object(given)) => known.extend(given.clone()),
            (place, value) => *place = value.clone(),
        }
    }
    std::fs::write(folder.join(format!("{name}.json")), config.to_string()).expect("a config");
    let file = format!("{name}.json");
    succeed(folder, &["train", &file, "--device", "cpu", "--out", name, "--quiet"]);
    let onnx = format!("{name}.onnx");
    succeed(folder, &["export", name, "--format", "onnx", "--out", &onnx]);
    let csv = format!("{name}.csv");
    succeed(folder, &["predict", name, "--data", "table.csv", "--device", "cpu", "--out", &csv]);
    onnx
}

/// The columns of a CSV file.
fn columns(file: &Path) -> Vec<(String, Vec<String>)> {
    let mut reader = csv::Reader::from_path(file).expect("a CSV file");
    let names = reader.headers().expect("a header").clone();
    let mut columns: Vec<_> = names.iter().map(|name| (name.to_owned(), Vec::new())).collect();
    for record in reader.records() {
        for (column, cell) in columns.iter_mut().zip(record.expect("a record").iter()) {
            column.1.push(cell.to_owned());
        }
    }
    columns
}

/// What onnxruntime says of the table, by model.
fn run(folder: &Path, models: &[String]) -> Value {
    run_on(folder, "table.csv", models)
}

/// What onnxruntime says of a file's rows, by model.
fn run_on(folder: &Path, file: &str, models: &[String]) -> Value {
    let output = Command::new(python())
        .arg(root().join("tests/onnx/run.py"))
        .arg(file)
        .args(models)
        .current_dir(folder)
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Holds what onnxruntime says to what `predict` said.
fn hold(folder: &Path, model: &str, said: &Value) {
    let predicted = columns(&folder.join(model.replace(".onnx", ".csv")));
    let is_numbers = said["probabilities"].is_null();
    let mut compared = 0;
    for (at, (name, cells)) in predicted.iter().enumerate() {
        if name == "prediction" && !is_numbers {
            let own = said["prediction"].as_array().expect("a list");
            let own: Vec<&str> = own.iter().map(|text| text.as_str().expect("text")).collect();
            assert_eq!(own, *cells, "{model}");
            continue;
        }
        let output = if is_numbers { "prediction" } else { "probabilities" };
        let numbers: Vec<f64> = cells.iter().map(|cell| cell.parse().expect("a number")).collect();
        let size = if is_numbers {
            numbers.iter().fold(0.0_f64, |most, x| most.max(x.abs()))
        } else {
            1.0
        };
        for (row, wanted) in numbers.iter().enumerate() {
            let own = number(&said[output][row][at]);
            assert!(
                (own - wanted).abs() <= TOLERANCE * size,
                "{model}, row {row}, {name}: {own}, predict says {wanted}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 160, "{model}: {compared} numbers");
    assert_eq!(said["prediction"].as_array().map(Vec::len), Some(160), "{model}");
}

/// Rows of numbers, truth values and text, of which one cell in twenty is empty; `new` has cities that
/// training does not see, and numbers beyond those of training.
fn table_with_gaps(file: &Path, rows: u32, new: bool) {
    let mut text = String::from("age,income,debt,member,city,plan,spent\n");
    // Cells are empty by their own count, so that columns lack them in different rows.
    let mut cells = 0_u32;
    let mut cell = |text: String| {
        cells += 1;
        if cells * 7919 % 100 < 5 { String::new() } else { text }
    };
    for row in 0..rows {
        let known = ["Rome", "Ulm", "Oslo", "Lima"][(row * row / 5 % 4) as usize];
        let city = if new && row % 6 == 1 { "Atlantis" } else { known };
        let age = 20 + row * 37 % 50 + if new && row % 9 == 2 { 100 } else { 0 };
        let income = 20_000 + row * 7919 % 30_000;
        // Many rows of one value, which a quantile must find the middle of.
        let debt = if row % 3 == 0 { 0 } else { row * 31 % 400 };
        let member = ["true", "false"][(row * 5 / 3 % 2) as usize];
        let plan = ["basic", "gold"][(row / 7 % 2) as usize];
        let spent = f64::from(age) * 3.0 + f64::from(debt) / 10.0 + f64::from(row % 4);
        let own = [
            cell(age.to_string()),
            cell(format!("{income}.25")),
            cell(debt.to_string()),
            cell(member.to_owned()),
            cell(city.to_owned()),
            cell(plan.to_owned()),
        ];
        writeln!(text, "{},{spent}", own.join(",")).expect("a String takes it");
    }
    std::fs::write(file, text).expect("a file");
}

#[test]
fn gaps_and_what_training_did_not_see_are_the_same_in_onnxruntime() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    table_with_gaps(&folder.join("gaps.csv"), 400, false);
    table_with_gaps(&folder.join("new.csv"), 160, true);
    let mut models = Vec::new();
    let scalings =
        ["none", "standard", "robust", "minmax", "quantile", "log1p", "robust_smooth_clip"];
    for (name, scaling, columns) in scalings.map(|scaling| (scaling, scaling, json!({}))).into_iter().chain([
        ("constants", "standard", json!({
            "age": { "missing": 30 }, "income": { "missing": "mean" }, "debt": { "missing": "median" },
            "city": { "missing": "Ulm" }, "plan": { "type": "categorical", "missing": "category" },
            "member": { "missing": true },
        })),
    ]) {
        let config = json!({
            "data": {
                "train": "gaps.csv", "target": "spent", "scaling": scaling, "columns": columns,
                "target_scaling": "standard",
            },
            "model": { "layers": [{ "units": 9, "activation": "tanh" }] },
            "training": { "epochs": 3, "batch_size": 16 },
            "log": { "tensorboard": false, "histograms_every": 0 },
        });
        std::fs::write(folder.join(format!("{name}.json")), config.to_string()).expect("a config");
        let file = format!("{name}.json");
        succeed(folder, &["train", &file, "--device", "cpu", "--out", name, "--quiet"]);
        succeed(folder, &["evaluate", name, "--data", "new.csv", "--device", "cpu"]);
        let onnx = format!("{name}.onnx");
        succeed(folder, &["export", name, "--format", "onnx", "--out", &onnx]);
        let csv = format!("{name}.csv");
        succeed(folder, &["predict", name, "--data", "new.csv", "--device", "cpu", "--out", &csv]);
        models.push(onnx);
    }
    let said = run_on(folder, "new.csv", &models);
    for model in &models {
        hold(folder, model, &said[model]);
    }
}

#[test]
fn every_network_says_the_same_in_onnxruntime() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    table(folder);
    let mut models = Vec::new();
    for row in &wgfit::catalog::activation::ACTIVATIONS {
        let layers =
            json!([{ "units": 7, "activation": row.name }, { "units": 7, "activation": row.name }]);
        let more = json!({ "model": { "layers": layers } });
        models.push(exported(folder, row.name, &json!("species"), &more));
    }
    let shared = json!({
        "optimizer": { "name": "adam", "convention": "keras" },
        "model": { "layers": [{ "units": 7, "activation": "prelu" }] },
    });
    models.push(exported(folder, "prelu_by_unit", &json!("species"), &shared));
    for row in &wgfit::catalog::normalization::NORMALIZATIONS {
        let layers = json!([{ "units": 7, "norm": row.name }, { "units": 7, "norm": row.name, "residual": true }]);
        for members in [1, 3] {
            let more = json!({ "model": { "layers": layers }, "members": members });
            models.push(exported(
                folder,
                &format!("{}_{members}", row.name),
                &json!("species"),
                &more,
            ));
        }
    }
    for members in [1, 3] {
        let of = |more: Value| {
            let mut more = more;
            more["members"] = json!(members);
            more
        };
        let labels = json!(["is_a", "is b", "is_c"]);
        let several = json!(["count", "change"]);
        for (name, target, more) in [
            ("classes", &json!("species"), json!({})),
            ("binary", &json!("sick"), json!({})),
            ("labels", &labels, json!({ "data": { "task": "multilabel" } })),
            (
                "numbers",
                &json!("change"),
                json!({ "data": { "task": "regression", "scaling": "robust" } }),
            ),
            ("several", &several, json!({ "data": { "task": "regression", "scaling": "minmax" } })),
            (
                "poisson",
                &json!("count"),
                json!({ "loss": "poisson", "data": { "task": "regression" } }),
            ),
            (
                "gaussian",
                &json!("change"),
                json!({ "loss": "gaussian_nll", "data": { "task": "regression" } }),
            ),
            (
                "softmax",
                &several,
                json!({
                    "data": { "task": "regression" },
                    "model": { "layers": [{ "units": 4 }], "output": { "activation": "softmax" } },
                }),
            ),
            (
                "log_softmax",
                &several,
                json!({
                    "data": { "task": "regression" },
                    "model": { "layers": [{ "units": 4 }], "output": { "activation": "log_softmax" } },
                }),
            ),
        ] {
            models.push(exported(folder, &format!("{name}_{members}"), target, &of(more)));
        }
    }
    let said = run(folder, &models);
    for model in &models {
        hold(folder, model, &said[model]);
    }
}

#[test]
fn a_model_that_cannot_be_named_in_onnx_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    std::fs::write(folder.join("t.csv"), "prediction,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n")
        .expect("a file");
    let config = json!({
        "data": { "train": "t.csv", "target": "y", "validation": 0 },
        "model": { "layers": [{ "units": 2 }] },
        "training": { "epochs": 1 },
    });
    std::fs::write(folder.join("c.json"), config.to_string()).expect("a config");
    succeed(folder, &["train", "c.json", "--device", "cpu", "--out", "r", "--quiet"]);
    let output = wgfit(folder, &["export", "r", "--format", "onnx", "--out", "m.onnx"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("\"prediction\"") && error.contains("rename"), "{error}");
    assert!(!folder.join("m.onnx").exists());
    // As safetensors it is what the run holds.
    succeed(folder, &["export", "r", "--format", "safetensors", "--out", "m.safetensors"]);
    let bytes = |name: &str| std::fs::read(folder.join(name)).expect("a file");
    assert_eq!(bytes("m.safetensors"), bytes("r/model.safetensors"));
}
