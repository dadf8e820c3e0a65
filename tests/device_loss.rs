//! A training whose device is lost goes on: on another device of the same adapter as if nothing had
//! been, then on the CPU; and what it tells, it tells once.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{json, records, root, succeed, told, wgfit};
use wgfit::Config;
use wgfit::backend::gpu::{GpuOptions, PlantedLoss};
use wgfit::backend::{Chosen, DeviceOptions, choose};
use wgfit::error::{Error, Result};
use wgfit::train::{EpochRecord, Observer, Outcome, RunAhead, StepRecord, fit_ahead};

/// 90 rows in batches of 10, and one step of the validation: 10 steps an epoch.
const CONFIG: [&str; 3] = ["training.batch_size=10", "training.epochs=8", "early_stopping=null"];

/// llvmpipe, lost as is said.
fn llvmpipe(loss: Option<&str>) -> Chosen {
    common::devices();
    let loss = loss.map(|text| text.parse::<PlantedLoss>().expect("a loss"));
    let gpu = GpuOptions { planted_loss: loss, ..GpuOptions::default() };
    choose("llvmpipe", DeviceOptions { gpu, ..DeviceOptions::default() })
        .expect("llvmpipe: apt-get install mesa-vulkan-drivers")
}

/// What an observer that keeps no checkpoints was told, without times.
#[derive(Default)]
struct Diary {
    begun: usize,
    records: Vec<String>,
    warnings: Vec<String>,
}

impl Observer for Diary {
    fn begin(&mut self, _: &wgfit::network::Network, _: usize, _: usize) -> Result<()> {
        self.begun += 1;
        Ok(())
    }
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.records.push(format!("{record:?}"));
        Ok(())
    }
    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.records.push(told(record));
        Ok(())
    }
    fn warn(&mut self, text: &str) -> Result<()> {
        self.warnings.push(text.to_owned());
        Ok(())
    }
}

fn train(loss: Option<&str>, more: &[&str], ahead: RunAhead) -> (Result<Outcome>, Diary) {
    let overrides: Vec<String> = CONFIG.iter().chain(more).map(|text| (*text).to_owned()).collect();
    let config = root().join("configs/iris.json");
    let config = Config::load(&config, &overrides).expect("the config");
    let settings = config.validate(&root().join("configs")).expect("settings");
    let dataset = wgfit::data::load(&settings.data).expect("the data");
    let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
    let chosen = llvmpipe(loss);
    let mut diary = Diary::default();
    let backend = chosen.backend.as_ref();
    let outcome = fit_ahead(&settings, &task, dataset, backend, &mut diary, ahead);
    (outcome, diary)
}

fn bits(outcome: &Outcome) -> (Vec<u32>, String) {
    let bits = outcome.parameters.iter().map(|weight| weight.to_bits()).collect();
    (bits, format!("{:?} {:?} {}", outcome.scores, outcome.best_epoch, outcome.epochs))
}

/// From a program that keeps no checkpoints: from the state in memory, or anew.
#[test]
fn a_lost_device_is_opened_again_and_changes_no_bit() {
    for ahead in [RunAhead::Never, RunAhead::Always] {
        for (every, loss, losses, place) in [
            ("checkpoint.every_seconds=0", "3", 1, "begins anew"),
            ("checkpoint.every_seconds=0", "65", 1, "goes on after epoch 6"),
            ("checkpoint.every_seconds=0", "25x3", 3, "goes on after epoch 2"),
            ("checkpoint=null", "65", 1, "begins anew"),
        ] {
            let more = [every, "log.every_steps=1"];
            let name = format!("{every}, {loss}, {ahead:?}");
            let (whole, told) = train(None, &more, ahead);
            let (lost, told_of_lost) = train(Some(loss), &more, ahead);
            let (whole, lost) = (whole.expect("it trains"), lost.expect(&name));
            assert!(bits(&whole) == bits(&lost), "{name}: what came of it");
            assert_eq!(told.records, told_of_lost.records, "{name}");
            assert_eq!(told_of_lost.begun, 1, "{name}");
            assert_eq!((whole.device_losses, lost.device_losses), (0, losses), "{name}");
            let new = &told_of_lost.warnings[told.warnings.len()..];
            assert_eq!(new.len(), losses, "{name}: {new:?}");
            for line in new {
                assert!(
                    line.contains("llvmpipe") && line.contains("the device was lost"),
                    "{line}"
                );
                assert!(line.contains("it was opened again"), "{line}");
            }
            assert!(new[0].contains(place), "{name}: {new:?}");
            let device = &lost.replacement.as_ref().expect(&name).backend().device().name;
            assert!(device.contains("llvmpipe"), "{name}: {device}");
        }
    }
}

/// Lost again before there is a new epoch, or gone for good.
#[test]
fn the_cpu_stands_in_for_a_device_that_does_not_stay() {
    let often = "checkpoint.every_seconds=0";
    for (loss, every, losses, why) in [
        ("3x2", often, 2, "again before training got any further; training begins anew on"),
        // What is trained once more is no progress.
        (
            "65x2",
            "checkpoint=null",
            2,
            "again before training got any further; training begins anew on",
        ),
        ("60/gone", often, 1, "and does not open again (llvmpipe"),
    ] {
        let (outcome, diary) = train(Some(loss), &[every], RunAhead::Never);
        let outcome = outcome.expect(loss);
        assert_eq!((outcome.epochs, outcome.device_losses), (8, losses), "{loss}");
        let device = outcome.replacement.as_ref().expect(loss).backend().device().clone();
        assert_eq!(device.backend, "cpu", "{loss}");
        let last = diary.warnings.last().expect("a word");
        assert!(last.contains(why), "{last}");
        assert!(last.contains(&device.name) && last.contains("the last bits may differ"), "{last}");
        assert_eq!(diary.records.len(), 8, "{loss}: each epoch once");
    }
}

/// In f16, which the CPU does not have.
#[test]
fn nothing_stands_in_for_f16() {
    let (outcome, _) = train(Some("3x2"), &["training.precision=f16"], RunAhead::Never);
    let error = outcome.expect_err("it is lost");
    assert!(matches!(error, Error::DeviceLost { .. }), "{error:?}");
    assert!(error.to_string().contains("nothing stands in for it in f16"), "{error}");
    assert_eq!(error.exit_code(), 1);
}

/// A log of JSON lines without times.
fn timeless(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let parse = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        for key in ["seconds", "samples_per_second"] {
            line.as_object_mut().expect("an object").remove(key);
        }
        line
    };
    text.lines().map(parse).collect()
}

/// A run of the program, and what it said.
fn run(folder: &Path, out: &str, more: &[&str]) -> (PathBuf, String) {
    let config = root().join("configs/iris.json").display().to_string();
    let begin = ["train", &config, "--out", out, "--device", "llvmpipe"];
    let arguments: Vec<&str> = begin.iter().chain(&CONFIG).chain(more).copied().collect();
    let output = wgfit(folder, &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{more:?}: {said}");
    (folder.join(out), said)
}

#[test]
fn a_run_folder_is_the_same_and_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let often = "checkpoint.every_seconds=0";
    let (whole, said) = run(folder.path(), "whole", &[often]);
    assert!(!said.contains("lost"), "{said}");
    assert_eq!(json(&whole.join("summary.json"))["device_losses"], 0);
    for (out, loss, keeps) in
        [("first", "3", often), ("later", "60", often), ("anew", "60", "checkpoint=null")]
    {
        let (lost, said) = run(folder.path(), out, &["--plant-loss", loss, keeps]);
        let word = |line: &&str| line.contains("the device was lost");
        assert_eq!(said.lines().filter(word).count(), 1, "{out}: {said}");
        let model = |run: &Path| fs::read(run.join("model.safetensors")).expect("a model");
        if keeps == often {
            assert!(model(&whole) == model(&lost), "{out}: the model");
        }
        for log in ["metrics.jsonl", "observations.jsonl"] {
            assert_eq!(timeless(&whole.join(log)), timeless(&lost.join(log)), "{out}: {log}");
        }
        let seconds: Vec<f64> =
            records(&lost, "epoch").iter().map(|epoch| common::number(&epoch["seconds"])).collect();
        assert!(seconds.is_sorted(), "{out}: {seconds:?}");
        let summary = json(&lost.join("summary.json"));
        assert_eq!(summary["device_losses"], 1, "{out}");
        assert!(lost.join("report.html").exists() && lost.join("analysis.json").exists(), "{out}");
    }
    // On the CPU in the end, which the run then says that it was trained by.
    let (lost, said) = run(folder.path(), "cpu", &["--plant-loss", "40/gone", often]);
    assert!(said.contains("training goes on after epoch"), "{said}");
    assert_eq!(records(&lost, "epoch").len(), 8);
    assert_eq!(json(&lost.join("summary.json"))["device"]["backend"], "cpu");
    assert!(lost.join("report.html").exists() && lost.join("analysis.json").exists());
    let config = root().join("configs/iris.json").display().to_string();
    let more = ["train", &config, "--out", "cpu", "--device", "cpu", "--resume", often];
    let output = wgfit(folder.path(), &[&more[..], &CONFIG, &["training.epochs=9"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("goes on after epoch 8") && !said.contains("bit for bit"), "{said}");
    succeed(folder.path(), &["evaluate", "cpu", "--device", "cpu"]);
}
