//! `training.precision`: what f16 comes to on real data, and what is told where it cannot be.

mod common;

use std::path::Path;

use common::{devices, json, number, root, software_drivers, succeed, wgfit};

fn digits() -> String {
    root().join("configs/digits.json").to_string_lossy().into_owned()
}

/// The error of a command that is wrong in itself.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = wgfit(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).expect("stderr is text")
}

#[test]
fn digits_are_learned_as_well_in_f16() {
    assert!(devices().contains(&"llvmpipe"), "llvmpipe has 16-bit floats");
    let folder = tempfile::tempdir().expect("a folder");
    let accuracy = ["f32", "f16"].map(|precision| {
        let key = format!("training.precision={precision}");
        let (config, out) = (digits(), folder.path().join(precision));
        let to = out.to_string_lossy();
        let arguments = ["train", &config, &key, "--device", "llvmpipe", "--quiet", "--out", &to];
        succeed(folder.path(), &arguments);
        let summary = json(&out.join("summary.json"));
        assert_eq!(summary["precision"], precision);
        assert_eq!(json(&out.join("config.json"))["training"]["precision"], precision);
        assert!(number(&summary["train"]["loss"]) < 0.1);
        number(&summary["test"]["accuracy"])
    });
    assert!((accuracy[0] - accuracy[1]).abs() <= 0.01, "{accuracy:?}");
    // The model is one of f32, for any device.
    let run = folder.path().join("f16");
    let run = run.to_string_lossy();
    let text = succeed(folder.path(), &["evaluate", &run, "--device", "cpu", "--json"]);
    let scores: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
    assert!((number(&scores["accuracy"]) - accuracy[1]).abs() <= 0.01, "{scores}");
}

#[test]
fn a_device_without_16_bit_floats_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = digits();
    let mut lacking = vec!["cpu"];
    if software_drivers().iter().any(|(name, _)| *name == "SwiftShader") {
        lacking.push("SwiftShader");
    }
    for command in ["train", "lr-find"] {
        for device in &lacking {
            let arguments = [command, &config, "training.precision=f16", "--device", device];
            let error = refused(folder.path(), &arguments);
            for part in ["`training.precision`", "16-bit floats", "help: leave", "wgfit devices"] {
                assert!(error.contains(part), "{device}: {part} in {error}");
            }
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[test]
fn an_input_past_f16_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = (0..20).map(|row| format!("{},{}\n", row * 5000, row % 2)).collect();
    std::fs::write(folder.path().join("rows.csv"), format!("x,y\n{rows}")).expect("a file");
    let config = r#"{"data": {"train": "rows.csv", "target": "y", "scaling": "none"}}"#;
    std::fs::write(folder.path().join("config.json"), config).expect("a file");
    let arguments = ["train", "config.json", "training.precision=f16", "--device", "llvmpipe"];
    let error = refused(folder.path(), &arguments);
    for part in ["`training.precision`", "65504", "data.scaling"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn an_explanation_tells_the_precision_and_its_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = digits();
    let of = |precision: &str| {
        let key = format!("training.precision={precision}");
        let arguments = ["train", &config, &key, "--device", "llvmpipe", "--explain", "--json"];
        let text = succeed(folder.path(), &arguments);
        serde_json::from_str::<serde_json::Value>(&text).expect("one JSON document")
    };
    let [half, full] = ["f16", "f32"].map(of);
    assert_eq!((&half["precision"], &full["precision"]), (&"f16".into(), &"f32".into()));
    for key in ["bytes_read", "bytes_written"] {
        assert!(number(&half["total"][key]) < number(&full["total"][key]), "{key}");
    }
    assert_eq!(half["total"]["flops"], full["total"]["flops"]);
}
