//! Embedded columns, from the file to the prediction: each step as PyTorch takes it, what they are worth,
//! what becomes of categories that training did not see and of empty cells, and the same in onnxruntime.

mod common;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use common::{devices, json, number, python, records, relative, root, succeed};
use serde_json::{Value, json};

/// Relative distance allowed at each step.
const TOLERANCE: f64 = 2e-4;

/// The largest difference allowed of a prediction in onnxruntime, by the size of all.
const ONNX_TOLERANCE: f64 = 1e-4;

#[test]
fn every_step_agrees_with_pytorch() {
    let golden = root().join("tests/golden");
    let file = json(&golden.join("embeddings.json"));
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 5, "only {} cases", cases.len());
    let folder = tempfile::tempdir().expect("a temporary folder");
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let expected: Vec<f64> =
            case["losses"].as_array().expect("losses").iter().map(number).collect();
        let config = json!({
            "data": {
                "train": golden.join("embeddings.csv"), "target": "y", "validation": 0,
                "scaling": "none", "target_scaling": "none", "shuffle": false,
                "encoding": "embedding",
                "columns": { "who": { "embedding_size": 3 }, "city": { "embedding_size": 2 } },
            },
            "model": {
                "layers": [{ "units": 6, "activation": "tanh" }],
                "init_from": golden.join("embeddings.safetensors"),
            },
            "loss": "mse",
            "optimizer": case["optimizer"],
            "training": { "epochs": 8, "batch_size": 16 },
            "log": { "every_steps": 1, "tensorboard": false, "histograms_every": 0 },
        });
        let file = format!("{name}.json");
        std::fs::write(folder.path().join(&file), config.to_string()).expect("a config");
        for device in devices() {
            let run = format!("{name}-{device}");
            succeed(folder.path(), &["train", &file, "--device", device, "--quiet", "--out", &run]);
            let steps = records(&folder.path().join(&run), "step");
            assert_eq!(steps.len(), expected.len(), "{name} on {device}");
            for (at, (step, wanted)) in steps.iter().zip(&expected).enumerate() {
                let loss = number(&step["loss"]);
                assert!(
                    relative(loss, *wanted) <= TOLERANCE,
                    "{name} on {device}, step {}: {loss}, PyTorch says {wanted}",
                    at + 1
                );
            }
        }
    }
}

/// What a category is worth, from -1.5 to 1.5, in no order.
fn worth(who: usize) -> f64 {
    (who * 37 % 60) as f64 / 20.0 - 1.5
}

/// Rows of `age`, `who` of 60 values, which decides the target, `note`, of 3 and embedded on demand, and `y`.
/// With `new` there are values of `who` that training does not see; one cell in twenty is empty.
fn table(file: &Path, rows: usize, new: bool) {
    let mut text = String::from("age,who,note,y\n");
    for row in 0..rows {
        // The order of the digits is no order of the target.
        let who = row * 7919 % 60;
        let age = 20 + row * 31 % 47;
        let y = worth(who) + 0.01 * age as f64 + 0.05 * ((row * 13 % 11) as f64 / 5.0 - 1.0);
        // Categories come again every 60 rows, and lack no cell in particular.
        let name = match ((row + row / 60) % 20, new && row % 7 == 3) {
            (11, _) => String::new(),
            (_, true) => format!("stranger {row}"),
            _ => format!("p{who:02}"),
        };
        let age = if row % 20 == 5 { String::new() } else { age.to_string() };
        let note = if row % 20 == 17 { "" } else { ["a", "b", "c"][row / 3 % 3] };
        writeln!(text, "{age},{name},{note},{y:.4}").expect("a String takes it");
    }
    std::fs::write(file, text).expect("a file");
}

fn config(columns: &Value, more: &[(&str, Value)]) -> Value {
    let mut config = json!({
        "data": {
            "train": "table.csv", "target": "y", "validation": 0.2, "test": 0.2, "columns": columns,
        },
        "model": { "layers": [{ "units": 16, "activation": "tanh" }] },
        "optimizer": { "name": "adam", "learning_rate": 0.01 },
        "training": { "epochs": 40, "batch_size": 32 },
        "metrics": ["r2", "rmse"],
        "log": { "tensorboard": false, "histograms_every": 0 },
    });
    for (key, value) in more {
        config[*key] = value.clone();
    }
    config
}

/// Trains it on that device.
fn trained(folder: &Path, name: &str, device: &str, config: &Value) -> Value {
    let file = format!("{name}.json");
    std::fs::write(folder.join(&file), config.to_string()).expect("a config");
    succeed(folder, &["train", &file, "--device", device, "--out", name, "--quiet"]);
    json(&folder.join(name).join("summary.json"))
}

/// The predictions of a file, in order.
fn predicted(folder: &Path, run: &str, device: &str, data: &str) -> Vec<f64> {
    let out = format!("{run}-{data}");
    succeed(folder, &["predict", run, "--data", data, "--device", device, "--out", &out]);
    let mut reader = csv::Reader::from_path(folder.join(out)).expect("a CSV file");
    let records = reader.records().map(|record| record.expect("a record"));
    records.map(|record| record[0].parse().expect("a number")).collect()
}

#[test]
fn a_column_of_sixty_categories_is_learned() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    table(&folder.join("table.csv"), 1600, false);
    let without =
        trained(folder, "without", "cpu", &config(&json!({ "who": { "type": "ignore" } }), &[]));
    let without = number(&without["test"]["r2"]);
    for device in devices() {
        let run = format!("with-{device}");
        let with = trained(folder, &run, device, &config(&json!({}), &[]));
        let r2 = number(&with["test"]["r2"]);
        assert!(r2 > 0.85 && without < 0.3, "{device}: {r2}, without the column {without}");
        // 61 rows, one of them of empty cells, by 16; note takes 4 inputs, and age 2.
        assert_eq!(with["network"], "22-16-1", "{device}");
        assert_eq!(number(&with["parameters"]), (61 * 16 + 22 * 16 + 16 + 17) as f64);
        // The linear baseline has no numbers of that column, and says so.
        let linear = &with["baselines"]["linear"];
        assert_eq!(linear["left_out"], json!(["who"]));
        assert!(number(&linear["test"]["r2"]) < 0.3, "{linear}");
        let verdict = with["baselines"]["verdict"].as_str().expect("a sentence");
        assert!(verdict.contains("goes without what is embedded: who"), "{verdict}");
        // It matters more than the other columns.
        let analysis = json(&folder.join(&run).join("analysis.json"));
        assert_eq!(analysis["importance"]["columns"][0]["name"], "who", "{device}");
        // Rows of its kind score as the test rows do.
        let said = succeed(
            folder,
            &["evaluate", &run, "--data", "table.csv", "--device", device, "--json"],
        );
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert!(number(&said["r2"]) > 0.85, "{said}");
        let text = succeed(folder, &["inspect", &run]);
        assert!(text.contains("22 inputs (16 of 1 embedded column) -> "), "{text}");
        assert!(text.contains("embeddings.0.weight  61 x 16"), "{text}");
    }
}

#[test]
fn strangers_and_empty_cells_are_predicted_alike_on_every_device() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    table(&folder.join("table.csv"), 800, false);
    trained(folder, "run", "cpu", &config(&json!({}), &[("training", json!({ "epochs": 5 }))]));
    std::fs::write(
        folder.join("new.csv"),
        "age,who,note\n30,p07,a\n30,somebody,a\n30,nobody,a\n30,,a\n30,NA,a\n,p07,\n",
    )
    .expect("a file");
    let of_cpu = predicted(folder, "run", "cpu", "new.csv");
    assert!(of_cpu.iter().all(|value| value.is_finite()), "{of_cpu:?}");
    // All strangers are one, and all empty cells; neither is the other, or a category.
    assert_eq!((of_cpu[1], of_cpu[3]), (of_cpu[2], of_cpu[4]));
    assert!(of_cpu[0] != of_cpu[1] && of_cpu[1] != of_cpu[3] && of_cpu[0] != of_cpu[3]);
    for device in devices() {
        let own = predicted(folder, "run", device, "new.csv");
        for (own, cpu) in own.iter().zip(&of_cpu) {
            assert!((own - cpu).abs() <= 1e-5, "{device}: {own}, the CPU says {cpu}");
        }
    }
}

#[test]
fn onnxruntime_says_the_same_of_raw_columns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    table(&folder.join("table.csv"), 600, false);
    table(&folder.join("new.csv"), 300, true);
    let embedded = json!({ "note": { "encoding": "embedding", "embedding_size": 2 } });
    let first_missing = json!({
        "who": { "missing": "p07" }, "note": { "encoding": "embedding", "missing": "b" },
        "age": { "type": "categorical", "encoding": "embedding", "embedding_size": 1 },
    });
    let short = ("training", json!({ "epochs": 3, "batch_size": 32 }));
    let runs = [
        ("one", config(&json!({}), std::slice::from_ref(&short))),
        ("members", config(&embedded, &[short.clone(), ("members", json!(3))])),
        ("filled", config(&first_missing, std::slice::from_ref(&short))),
    ];
    let mut models = Vec::new();
    for (name, config) in &runs {
        trained(folder, name, "cpu", config);
        let onnx = format!("{name}.onnx");
        succeed(folder, &["export", name, "--format", "onnx", "--out", &onnx]);
        models.push(onnx);
    }
    let output = Command::new(python())
        .arg(root().join("tests/onnx/run.py"))
        .arg("new.csv")
        .args(&models)
        .current_dir(folder)
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for (name, _) in &runs {
        let wanted = predicted(folder, name, "cpu", "new.csv");
        let own = said[format!("{name}.onnx")]["prediction"].as_array().expect("a list");
        assert_eq!((own.len(), wanted.len()), (300, 300), "{name}");
        let size = wanted.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        for (row, (own, wanted)) in own.iter().zip(&wanted).enumerate() {
            let own = number(&own[0]);
            assert!(
                (own - wanted).abs() <= ONNX_TOLERANCE * size,
                "{name}, row {row}: {own}, predict says {wanted}"
            );
        }
    }
}

#[test]
fn a_streamed_run_is_the_run_in_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    table(&folder.join("table.csv"), 800, false);
    let short = ("training", json!({ "epochs": 3, "batch_size": 32 }));
    let mut config = config(&json!({}), &[short]);
    config["data"]["chunk_rows"] = json!(50);
    trained(folder, "memory", "cpu", &config);
    config["data"]["streaming"] = json!(true);
    config["data"]["streaming_folder"] = json!(".");
    trained(folder, "streamed", "cpu", &config);
    let losses = |run: &str| -> Vec<f64> {
        records(&folder.join(run), "epoch").iter().map(|r| number(&r["train"]["loss"])).collect()
    };
    assert_eq!(losses("memory").len(), 3);
    assert_eq!(losses("memory"), losses("streamed"));
}
