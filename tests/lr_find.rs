//! `wgfit lr-find` as people use it: on every device, its output, its files, its errors.

mod common;

use common::{devices, number, root, succeed, wgfit};
use serde_json::Value;

const CONFIG: &str = "configs/digits.json";

fn found(device: &str, more: &[&str]) -> Value {
    let fixed = ["lr-find", CONFIG, "--device", device, "--json"];
    let text = succeed(root(), &[&fixed[..], more].concat());
    serde_json::from_str(&text).expect("one document")
}

#[test]
fn a_sane_rate_is_found_on_every_device() {
    for device in devices() {
        let test = found(device, &[]);
        let list = |key: &str| -> Vec<f64> {
            test[key].as_array().expect(key).iter().map(number).collect()
        };
        let (rates, losses, smoothed) = (list("rates"), list("losses"), list("smoothed"));
        assert_eq!((rates.len(), smoothed.len()), (losses.len(), losses.len()));
        assert_eq!(number(&test["steps"]) as usize, rates.len());
        assert!((rates[0] - 1e-7).abs() < 1e-15 && rates.is_sorted());
        // Ten classes, guessed.
        assert!((losses[0] - 10.0_f64.ln()).abs() < 1.0, "{device}: {}", losses[0]);
        for key in ["steepest", "valley", "minimum_over_10"] {
            let rate = number(&test["suggestions"][key]);
            assert!((1e-4..1.0).contains(&rate), "{device} {key}: {rate}");
        }
        let ended = test["stopped"].as_str().expect("a word");
        assert!(["end", "diverged"].contains(&ended), "{ended}");
        assert_eq!(test, found(device, &[]), "{device}: the same twice");
    }
}

#[test]
fn the_curve_is_printed_and_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let svg = folder.path().join("curve.svg");
    let out = svg.to_str().expect("text");
    let text = succeed(root(), &["lr-find", CONFIG, "--device", "cpu", "--out", out]);
    for part in ["steepest descent", "valley", "try optimizer.learning_rate=", "steps, "] {
        assert!(text.contains(part), "{text}");
    }
    let drawn = std::fs::read_to_string(&svg).expect("the SVG");
    assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"), "{drawn}");
    assert_eq!(drawn.matches("<circle").count(), 4, "two marks and their legend");
    for part in ["learning rate", "smoothed", "steepest descent", "valley"] {
        assert!(drawn.contains(part), "no {part}");
    }
    assert!(std::fs::read_dir(folder.path()).expect("a folder").count() == 1, "nothing else");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (more, part) in [
        (["--steps", "3"], "10 or more"),
        (["--from", "20"], "the first below the last"),
        (["--to", "0"], "the first below the last"),
    ] {
        let arguments = [&["lr-find", CONFIG, "--device", "cpu"][..], &more[..]].concat();
        let output = wgfit(root(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(part), "{message}");
    }
}
