//! `wgfit inspect`: models and other safetensors files, looked at.

mod common;

use common::{number, root, succeed, wgfit};
use serde_json::Value;

#[test]
fn a_models_tensors_are_shown_with_what_they_are_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = root().join("configs/iris.json");
    let config = config.to_string_lossy();
    succeed(
        folder.path(),
        &["train", &config, "training.epochs=2", "members=3", "--device", "cpu", "--out", "run"],
    );
    let text = succeed(folder.path(), &["inspect", "run"]);
    assert!(text.contains("3 members"), "{text}");
    assert!(text.contains("layers.0.weight  3 x "), "{text}");

    let text = succeed(folder.path(), &["inspect", "run/model.safetensors", "--json"]);
    let document: Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(document["model"]["members"], 3);
    let tensors = document["tensors"].as_array().expect("the tensors");
    let values: f64 = tensors.iter().map(|tensor| number(&tensor["count"])).sum();
    assert_eq!(values, 3.0 * number(&document["model"]["parameters"]));
    for tensor in tensors {
        let bars = tensor["histogram"].as_array().expect("a histogram");
        let held: f64 = bars.iter().map(number).sum();
        assert!(bars.is_empty() || held == number(&tensor["count"]), "{tensor}");
        assert!(number(&tensor["least"]) <= number(&tensor["mean"]), "{tensor}");
    }
}

#[test]
fn any_safetensors_file_can_be_looked_at_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = root().join("tests/golden/catalogue-7-11-5-1.safetensors");
    let text = succeed(folder.path(), &["inspect", &file.to_string_lossy()]);
    assert!(text.starts_with("tensor "), "no model's lines: {text}");
    assert!(text.contains("layers.1.bias"), "{text}");

    let other = root().join("configs/iris.json");
    let output = wgfit(folder.path(), &["inspect", &other.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("iris.json") && message.contains("not a safetensors file"),
        "{message}"
    );
}
