//! `wgfit train --explain`: what a step is made of, on every device, and what is measured of it.

mod common;

use common::{devices, number, root, succeed, wgfit};
use serde_json::Value;

fn explained(device: &str, extra: &[&str]) -> Value {
    let config = root().join("configs/digits.json");
    let config = config.to_string_lossy();
    let folder = tempfile::tempdir().expect("a folder");
    let mut arguments = vec!["train", &config, "log.every_steps=0", "--explain", "--json"];
    arguments.extend(["--device", device]);
    arguments.extend(extra);
    let text = succeed(folder.path(), &arguments);
    let left = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 0, "an explanation leaves no run behind");
    serde_json::from_str(&text).expect("one JSON document")
}

fn calls(explanation: &Value) -> &Vec<Value> {
    explanation["calls"].as_array().expect("a list of calls")
}

#[test]
fn an_explanation_lists_every_call_and_adds_it_up() {
    for device in devices() {
        let explanation = explained(device, &[]);
        assert_eq!(explanation["network"], "64-128-64-10", "{device}");
        assert_eq!((&explanation["members"], &explanation["rows"]), (&1.into(), &32.into()));
        let of = |key: &str| calls(&explanation).iter().map(|call| number(&call[key])).sum::<f64>();
        for key in ["flops", "bytes_read", "bytes_written"] {
            assert!(of(key) > 0.0, "{device}: {key}");
            assert_eq!(of(key), number(&explanation["total"][key]), "{device}: {key}");
        }
        // Whole steps are measured where a barrier is cheap.
        assert_eq!(explanation["whole_steps"], false, "{device}");
        let first = &calls(&explanation)[0];
        let shape = ["rows", "columns", "depth"].map(|key| number(&first[key]));
        assert_eq!((first["kernel"].as_str(), shape), (Some("dense_forward"), [32.0, 128.0, 64.0]));
        let buffers = first["buffers"].as_array().expect("its buffers");
        let named = |name: &str| buffers.iter().find(|bound| bound["buffer"] == name);
        assert_eq!(named("activation.0").expect("the output")["written"], true);
        assert_eq!(named("parameters").expect("the weights")["written"], false);
        // The CPU has no workgroups; an adapter has some for every call.
        for call in calls(&explanation) {
            assert_eq!(call["workgroups"].is_array(), device != "cpu", "{device}: {call}");
            assert!(call["seconds"].is_null() && call["floor_seconds"].is_null());
        }
        assert!(explanation["step"].is_null() && explanation["rates"].is_null());
    }
}

#[test]
fn a_timed_explanation_measures_every_call_and_its_floor() {
    for device in devices() {
        let explanation = explained(device, &["members=2", "--time"]);
        let rates = &explanation["rates"];
        let (flops, bytes) =
            (number(&rates["flops_per_second"]), number(&rates["bytes_per_second"]));
        assert!(flops > 0.0 && bytes > 0.0, "{device}: {rates}");
        let mut seconds = 0.0;
        for call in calls(&explanation) {
            assert!(number(&call["seconds"]) > 0.0, "{device}: {call}");
            seconds += number(&call["seconds"]);
            let moved = number(&call["bytes_read"]) + number(&call["bytes_written"]);
            let floor = (number(&call["flops"]) / flops).max(moved / bytes);
            assert!(
                (number(&call["floor_seconds"]) / floor - 1.0).abs() < 1e-9,
                "{device}: {call}"
            );
        }
        let step = &explanation["step"];
        assert!((number(&step["calls_seconds"]) / seconds - 1.0).abs() < 1e-9, "{device}");
        let samples = number(&step["samples_per_second"]) * number(&step["seconds"]);
        assert!((samples - 64.0).abs() < 1e-6, "{device}: 32 rows of 2 members, not {samples}");
    }
}

#[test]
fn an_explanation_reads_well() {
    let config = root().join("configs/iris.json");
    let arguments = ["train", &config.to_string_lossy(), "--explain", "--time", "--device", "cpu"];
    let text = succeed(root(), &arguments);
    for expected in
        ["train.train: ", "dense_forward", "layers.0", "optimizer_step", "total", "x floor"]
    {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    assert!(text.lines().all(|line| !line.ends_with(' ')), "{text}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let config = root().join("configs/iris.json");
    let config = config.to_string_lossy();
    for extra in [&["--time"][..], &["--explain", "--overwrite"], &["--explain", "--out", "x"]] {
        let mut arguments = vec!["train", &*config, "--device", "cpu"];
        arguments.extend(extra);
        assert_eq!(wgfit(root(), &arguments).status.code(), Some(2), "{extra:?}");
    }
}
