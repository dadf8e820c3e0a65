//! `wgfit compare` as people use it, on every device: what is right is found right, what is wrong is
//! named, and the three outputs say the same.

mod common;

use std::fs;
use std::path::Path;

use common::{devices, root, wgfit};
use wgfit::compare::result::{Comparison, Form};
use wgfit::compare::{document, to_html};

/// Runs it: the exit code, what the JSON says, and the page.
fn compared(config: &str, devices: &str, more: &[&str]) -> (Option<i32>, Comparison, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let fixed = ["compare", config, "--devices", devices, "--json", "--out"];
    let none = if more.contains(&"--break-even") { &[][..] } else { &["--break-even", "0"] };
    let arguments = [&fixed[..], &[page.to_str().expect("text")], none, more].concat();
    let output = wgfit(root(), &arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    let found = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in the JSON of {arguments:?}:\n{errors}"));
    (output.status.code(), found, fs::read_to_string(&page).expect("the page"))
}

/// Every device beside f64, all of them right.
fn held(config: &str, more: &[&str]) -> Comparison {
    let (code, found, _) = compared(config, &devices().join(","), more);
    let verdict = found.verdict.join("\n");
    assert_eq!((code, found.is_right()), (Some(0), true), "{config} {more:?}: {verdict}");
    assert_eq!(found.devices.len(), devices().len());
    for run in &found.devices {
        assert_eq!(run.steps.len() as u64, found.steps, "{}", run.name);
        assert_eq!(run.same_in_one_go, Some(true), "{}", run.name);
        assert_eq!(run.worst.len(), 4, "{}: outputs, loss, gradients, weights", run.name);
    }
    found
}

#[test]
fn digits_stay_in_the_band_on_every_device() {
    let found = held("configs/digits.json", &["--steps", "45"]);
    // Past the end of an epoch, whose last batch is short.
    assert_eq!((found.steps, found.asked_steps), (45, 45));
    assert!(found.checked_steps >= 4, "{}", found.checked_steps);
    let reference = found.reference.losses[0].expect("a loss");
    for run in &found.devices {
        assert!((run.steps[0].loss.expect("a loss") - reference).abs() < 1e-5, "{}", run.name);
        assert!(run.last_drift() > 0.0 && run.last_drift() < 1e-5, "{}", run.name);
        let speed = run.speed.expect("a speed");
        let samples = speed.steps_per_second * found.job.batch_rows as f64;
        assert!((speed.samples_per_second / samples - 1.0).abs() < 1e-9, "{}", run.name);
        assert!(run.memory.largest_bytes > 0 && run.memory.bytes > run.memory.largest_bytes);
    }
    assert!(found.verdict[0].contains("right alike"), "{:?}", found.verdict);
}

#[test]
fn every_task_and_members() {
    held("configs/diabetes.json", &["--steps", "20"]);
    held("configs/breast_cancer.json", &["--steps", "20"]);
    // Fused on a GPU.
    held("configs/digits.json", &["--steps", "6", "members=3", "log.every_steps=0"]);
}

#[test]
fn whatever_a_step_may_hold() {
    let norms = ["model.layers.0.norm=batch_norm", "model.layers.1.norm=layer_norm"];
    held("configs/digits.json", &[&["--steps", "6"][..], &norms].concat());
    held("configs/digits.json", &["--steps", "7", "training.accumulate=3", "training.ema=0.9"]);
    let muon = ["--steps", "4", "optimizer.name=muon", "optimizer.clip_global_norm=0.5"];
    held("configs/digits.json", &muon);
}

#[test]
fn several_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rows = "a,warm,b,wet\n".to_owned();
    for i in 0..200 {
        let (a, b) = (i * 7 % 20, i / 20 % 11);
        rows.push_str(&format!("{a},{},{b},{}\n", u8::from(a > b), u8::from(a + b > 10)));
    }
    fs::write(folder.path().join("rows.csv"), rows).expect("written");
    let config = folder.path().join("labels.json");
    let text = r#"{
      "data": { "train": "rows.csv", "target": ["warm", "wet"], "task": "multilabel" },
      "model": { "layers": [{ "units": 16, "activation": "tanh" }] },
      "training": { "epochs": 2, "batch_size": 16 }
    }"#;
    fs::write(&config, text).expect("written");
    let found = held(config.to_str().expect("text"), &[]);
    // No longer than the training itself.
    assert_eq!(found.steps, 2 * 10);
    assert!(found.limit.is_some_and(|why| why.contains("20 steps")));
}

#[test]
fn f16_has_a_wider_band() {
    let more = ["--steps", "12", "training.precision=f16"];
    let (code, found, _) = compared("configs/digits.json", "llvmpipe", &more);
    assert_eq!(code, Some(0), "{:?}", found.verdict);
    let activation = &found.devices[0].worst[0];
    assert!(activation.relative > 1e-5 && activation.of_band > 0.05, "{activation:?}");
}

#[test]
fn a_planted_fault_is_named_where_it_begins() {
    let config = "configs/digits.json";
    for (kernel, form, tensor, more) in [
        ("dense_forward", Form::CallByCall, "layers.0 output", ""),
        ("loss", Form::CallByCall, "loss", ""),
        ("input_gradient", Form::CallByCall, "layers.1 gradient", ""),
        ("weight_gradient", Form::CallByCall, "layers.2.weight gradient", ""),
        ("optimizer_step", Form::CallByCall, "layers.0.weight", ""),
        // Only the form that training runs has it.
        ("update", Form::AsTrained, "layers.0.weight", "log.every_steps=0"),
    ] {
        let more = if more.is_empty() { "seed=42" } else { more };
        let arguments = ["--steps", "3", "--plant-fault", kernel, more];
        let (code, found, page) = compared(config, "cpu,llvmpipe", &arguments);
        assert_eq!((code, found.is_right()), (Some(1), false), "{kernel}");
        assert!(found.devices[0].is_right(), "{kernel}: the CPU has no fault");
        let outside = found.devices[1].first_outside.as_ref().expect("a fault");
        let first = (outside.step, outside.form, outside.gap.tensor.as_str());
        assert_eq!(first, (1, form, tensor), "{kernel}");
        assert!(outside.gap.of_band > 1.0);
        assert!(found.verdict[0].contains("WRONG"), "{kernel}: {:?}", found.verdict);
        let advice = found.verdict.last().expect("advice");
        assert!(advice.ends_with("and report it. Train it with --device cpu."), "{advice}");
        assert!(found.verdict[0].contains(tensor) && page.contains("WRONG"), "{kernel}");
    }
}

/// Lion steps by signs: rounding flips some, and the runs part, as f64 does when it is rounded.
#[test]
fn chaos_is_no_bug() {
    let more = ["--steps", "120", "--seconds", "60", "optimizer.name=lion"];
    let (code, found, _) = compared("configs/digits.json", "cpu,llvmpipe", &more);
    assert_eq!(code, Some(0), "{:?}", found.verdict);
    for run in &found.devices {
        assert!(run.last_drift() > 1e-4, "{}: {:e}", run.name, run.last_drift());
        let growth = run.growth.expect("a growth");
        assert!(growth.tenfold_steps > 0.0 && growth.tenfold_steps < 200.0, "{growth:?}");
    }
    let verdict = found.verdict.join("\n");
    assert!(verdict.contains("chaos of this training, no bug"), "{verdict}");
}

#[test]
fn a_training_that_diverges_is_no_devices_fault() {
    let more = ["--steps", "20", "optimizer.learning_rate=1e30"];
    let (code, found, _) = compared("configs/digits.json", "cpu,llvmpipe", &more);
    assert_eq!(code, Some(0), "{:?}", found.verdict);
    assert!(found.steps < 20 && found.reference.not_finite == Some(found.steps));
    let verdict = found.verdict.join("\n");
    assert!(verdict.contains("diverges whatever it runs on"), "{verdict}");
}

/// The page is made of what the device runs gave, the document of what JSON kept of it.
#[test]
fn text_json_and_page_have_the_same_numbers() {
    let more = ["--steps", "12", "--break-even", "0.2"];
    let (_, found, page) = compared("configs/iris.json", "cpu,llvmpipe", &more);
    assert_eq!(found.break_even.len(), 2);
    let written = document(&found);
    let text = written.to_text();
    let mut cells = 0;
    for section in &written.sections {
        let all = section.rows.iter().flatten().chain(&section.after);
        for cell in all.filter(|cell| !cell.is_empty()) {
            cells += 1;
            assert!(text.contains(cell.as_str()), "{cell:?} is not in the text:\n{text}");
            let escaped = cell.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            assert!(page.contains(&escaped), "{cell:?} is not on the page");
        }
    }
    assert!(cells > 100, "{cells}");
    for paragraph in &found.verdict {
        assert!(text.contains(paragraph) && !page.is_empty());
    }
    assert_eq!(to_html(&found).expect("a page"), page, "the page of what JSON kept");
}

#[test]
fn the_page_is_written_and_its_path_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = root().join("configs/iris.json");
    let config = config.to_str().expect("text");
    let arguments = ["compare", config, "--devices", "cpu", "--steps", "3", "--break-even", "0"];
    let output = wgfit(folder.path(), &arguments);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["Each step beside f64", "Apart from the f64 run", "Speed", "Verdict", "right"] {
        assert!(text.contains(part), "{text}");
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("compare-iris.html"), "{errors}");
    let page = fs::read_to_string(folder.path().join("compare-iris.html")).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg"));
}

#[test]
fn devices_that_are_not_there_are_refused() {
    let output =
        wgfit(Path::new(root()), &["compare", "configs/iris.json", "--devices", "cpu,nope"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nope"));
}
