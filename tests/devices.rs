//! `wgfit devices`: what there is, and what it reaches.

mod common;

use common::{devices, number, succeed, wgfit};
use serde_json::Value;

fn listed(arguments: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let text = succeed(folder.path(), &[&["devices", "--json"], arguments].concat());
    serde_json::from_str(&text).expect("a list")
}

#[test]
fn every_device_is_measured_when_asked_for() {
    let all = listed(&[]);
    assert_eq!(all[0]["backend"], "cpu");
    assert!(all.iter().all(|device| device["bench"].is_null()));
    for device in devices() {
        let one = listed(&["--bench", "--device", device]);
        assert_eq!(one.len(), 1, "{device}");
        let bench = &one[0]["bench"];
        assert!(bench["error"].is_null(), "{device}: {bench}");
        assert!(number(&bench["bytes_per_second"]) > 1e7, "{device}: {bench}");
        let products = bench["products"].as_array().expect("products");
        let rates: Vec<f64> =
            products.iter().map(|product| number(&product["flops_per_second"])).collect();
        assert!(rates.is_sorted_by(|a, b| a >= b) && rates[rates.len() - 1] > 1e7, "{rates:?}");
        // One way on the CPU; on an adapter all that are worth a try, each once.
        let mut tiles: Vec<&str> = products.iter().filter_map(|p| p["tile"].as_str()).collect();
        tiles.sort_unstable();
        tiles.dedup();
        assert_eq!(tiles.len(), if device == "cpu" { 0 } else { products.len() }, "{products:?}");
        assert_eq!(products.len() > 1, device != "cpu", "{device}");
        let overheads = &bench["overheads"];
        assert!(number(&overheads["call_seconds"]) > 0.0, "{device}: {overheads}");
        assert!(number(&overheads["readback_seconds"]) > 0.0, "{device}: {overheads}");
    }
}

#[test]
fn a_device_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    // A word of other commands' --device names no one device.
    for wanted in ["voodoo", "auto"] {
        let output = wgfit(folder.path(), &["devices", "--device", wanted]);
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("there is no such device"), "{message}");
        assert!(message.contains("help: cpu, or out of"), "{message}");
    }
}
