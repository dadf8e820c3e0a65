//! Labels from a file to predictions of new rows.

mod common;

use std::fs;
use std::path::Path;

use common::{devices, json, number, succeed, wgfit};

const CONFIG: &str = r#"{
  "data": {
    "train": "rows.csv", "target": ["warm", "wet"], "task": "multilabel", "validation": 0.2
  },
  "model": { "layers": [{ "units": 16, "activation": "tanh" }] },
  "optimizer": { "learning_rate": 0.02 },
  "training": { "epochs": 60, "batch_size": 16 }
}"#;

/// `warm` where a > b, `wet` where a + b > 10: each of the four combinations is there.
fn rows() -> String {
    let mut text = "a,warm,b,wet\n".to_owned();
    for i in 0..400 {
        let (a, b) = (i * 7 % 20, i / 20 % 11);
        let (warm, wet) = (if a > b { "yes" } else { "no" }, u8::from(a + b > 10));
        text.push_str(&format!("{a},{warm},{b},{wet}\n"));
    }
    text
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "rows.csv", &rows());
    write(folder.path(), "labels.json", CONFIG);
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("write");
}

#[test]
fn labels_are_learnt_and_predicted() {
    let folder = folder();
    let at = folder.path();
    write(at, "new.csv", "b,a\n1,15\n9,0\n1,4\n10,5\n");
    for device in devices() {
        let train = ["train", "labels.json", "--quiet", "--device", device, "--out", device];
        succeed(at, &train);
        let summary = json(&at.join(device).join("summary.json"));
        let loss = number(&summary["validation"]["loss"]);
        assert!(loss < 0.15, "{device}: validation loss {loss}");
        let predicted = succeed(at, &["predict", device, "--data", "new.csv", "--device", device]);
        let mut lines = predicted.lines();
        assert_eq!(lines.next(), Some("probability_warm,probability_wet,prediction"));
        for said in ["warm wet", "", "warm", "wet"] {
            let line = lines.next().expect("a line a row");
            let fields: Vec<&str> = line.split(',').collect();
            let [warm, wet, prediction] = fields[..] else { panic!("{line}") };
            assert_eq!(prediction, said, "{device}: {line}");
            for (label, share) in [("warm", warm), ("wet", wet)] {
                let share: f64 = share.parse().expect("a number");
                assert_eq!(share > 0.5, said.contains(label), "{device}: {line}");
                assert!((0.0..=1.0).contains(&share), "{device}: {line}");
            }
        }
        assert_eq!(lines.next(), None);
        let scores = succeed(at, &["evaluate", device, "--device", device, "--json"]);
        let scores: serde_json::Value = serde_json::from_str(&scores).expect("JSON");
        assert!((number(&scores["loss"]) - loss).abs() < 1e-6, "{scores}");
    }
}

#[test]
fn an_error_about_the_data_names_the_configs_line() {
    let folder = folder();
    write(folder.path(), "labels.json", &CONFIG.replace("multilabel", "binary"));
    let output = wgfit(folder.path(), &["train", "labels.json", "--quiet"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("labels.json:3: `data.target`: a binary task takes one"), "{said}");
}
